"""Knows how to run a statement outside any transaction so that it can be resumed: what it leaves half-done is found,
and finished or taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.deployment.guarded import Limits, Ran, StatementFailed, Watch, run_one
from services.database.deployment.parts import detached_partition, is_concurrent_reindex, node_of
from services.database.execution import Stopped, run_sql
from services.database.script import Statement
from services.errors import Refused

_TIDY_S = 10

_OF_THE_CLUSTER = {
    "createdb_stmt": ("dbname", "pg_database", "datname"),
    "dropdb_stmt": ("dbname", "pg_database", "datname"),
    "create_table_space_stmt": ("tablespacename", "pg_tablespace", "spcname"),
    "drop_table_space_stmt": ("tablespacename", "pg_tablespace", "spcname"),
    "create_subscription_stmt": ("subname", "pg_subscription", "subname"),
    "drop_subscription_stmt": ("subname", "pg_subscription", "subname"),
}
"""Kinds of statements that make or drop a thing known by one name: where it stands, and where it is listed."""

_INVALID = """
SELECT i.indexrelid::bigint, n.nspname::text, c.relname::text, i.indrelid::bigint
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  WHERE l.relation = i.indrelid AND l.pid <> pg_catalog.pg_backend_pid() AND l.granted
    AND l.mode = 'ShareUpdateExclusiveLock' AND a.usename IS NOT NULL)
"""
"""Indexes that queries do not use and nobody is building: a builder keeps this lock on the table to its end, and so
does a person's VACUUM; autovacuum, which has no user, gives way."""


_TOASTED = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_class x
JOIN pg_catalog.pg_namespace xn ON xn.oid = x.relnamespace JOIN pg_catalog.pg_index i ON i.indexrelid = x.oid
JOIN pg_catalog.pg_class c ON c.reltoastrelid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE xn.nspname = %s AND x.relname = %s
"""
"""The table whose long values an index is about."""


def look_before(conn: psycopg.Connection[Any], statement: Statement) -> dict[str, Any]:
    """What is there before the statement, to be kept with the intent: invalid indexes, those of its table, and whether
    what it makes or takes is there."""
    table = _indexed_table(conn, statement)
    return {
        "invalid": [row[0] for row in conn.execute(_INVALID).fetchall()],
        "of_table": [row[0] for row in _indexes_of(conn, table)] if table else [],
        "there": _is_there(conn, statement),
    }


def left_behind(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an earlier look that still tells what a try since then left behind: the indexes of before it."""
    return {key: detail[key] for key in ("invalid", "of_table") if key in detail}


def run_apart(
    conn: psycopg.Connection[Any],
    statement: Statement,
    place: Mapping[str, Any],
    watch: Watch,
    before: Mapping[str, Any],
    *,
    again: bool,
) -> Ran:
    """Run the statement to its end. before: what `look_before` saw; again: it was sent before, and how it ended is not
    known. Raises StatementFailed (what it left behind is taken away first), Stopped, Refused.
    """
    if again:
        tidy(conn, statement, before, watch)
        if _is_done(conn, statement, before):
            watch.emit("statement", {**place, **_place(statement), "state": "done", "ms": 0.0})
            return Ran(statement.file, statement.line, statement.sql, 0.0)
    _drop_useless_namesake(conn, statement, watch)
    _set_limits(conn, statement, watch.limits)
    try:
        ran = run_one(conn, _pending_form(conn, statement), place, watch)
    except StatementFailed:
        if conn.closed:
            raise
        tidy(conn, statement, before, watch)
        raise
    except Stopped:
        tidy(conn, statement, before, watch)
        raise
    finally:
        if not conn.closed:
            longest = round(watch.limits.statement_timeout_s * 1000)
            conn.execute(
                f"RESET lock_timeout; SET statement_timeout = {longest}; RESET ROLE; RESET SESSION AUTHORIZATION"
            )
    _require_valid(conn, statement)
    return Ran(statement.file, statement.line, statement.sql, ran.ms)


def tidy(conn: psycopg.Connection[Any], statement: Statement, before: Mapping[str, Any], watch: Watch) -> None:
    """Drop what a broken-off index build or rebuild left: invalid indexes that were not there before it.

    One of a TOAST table can be dropped by a superuser only, not even by its owner: such a one is told of, and stays.
    """
    node = node_of(statement)
    if statement.kind == "index_stmt":
        table = _indexed_table(conn, statement)
        ours = {row[0] for row in _indexes_of(conn, table)} - set(before.get("of_table", [])) if table else set()
    elif statement.kind == "reindex_stmt" and node is not None and is_concurrent_reindex(node):
        ours = None
    else:
        return
    for oid, schema, name, _ in conn.execute(_INVALID).fetchall():
        left_by_rebuild = ours is None and oid not in before.get("invalid", []) and "_cc" in name
        if left_by_rebuild or (ours is not None and oid in ours):
            _drop(conn, schema, name, watch)


def _drop(conn: psycopg.Connection[Any], schema: str, name: str, watch: Watch) -> None:
    # Concurrently: it keeps no writer waiting. It may have to wait for old transactions, and then is left for the
    # next time, which looks again.
    conn.execute(f"SET lock_timeout = '{_TIDY_S}s'")
    try:
        run_sql(conn, sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(schema, name)).as_string())
    except (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected):
        return
    except errors.InsufficientPrivilege:
        watch.emit("notice", {"message": _stays(conn, schema, name), "severity": "WARNING"})
    finally:
        if not conn.closed:
            conn.execute("RESET lock_timeout")


def _stays(conn: psycopg.Connection[Any], schema: str, name: str) -> str:
    """What an invalid index means that we may not drop, and who gets rid of it how."""
    row = conn.execute(_TOASTED, (schema, name)).fetchone()
    drop = sql.SQL("DROP INDEX CONCURRENTLY {};").format(sql.Identifier(schema, name)).as_string()
    left = f"The invalid index {schema}.{name} stays: no query uses it, but writes keep it up to date."
    if row is None:
        return f"{left} The owner of its table, or a superuser, gets rid of it with {drop}"
    return (
        f"{left} It belongs to the long values of {row[0]}, so only a superuser may drop it, with {drop} Without one,"
        f" the owner gets rid of it with VACUUM FULL {row[0]}; which keeps readers and writers waiting to its end."
    )


def _is_done(conn: psycopg.Connection[Any], statement: Statement, before: Mapping[str, Any]) -> bool:
    """True where the statement's effect is there, and was not before it: it ended, only our note of it is missing."""
    node = node_of(statement)
    if node is None:
        return False
    if statement.kind == "index_stmt":
        table = _indexed_table(conn, statement)
        known = before.get("of_table", [])
        made = [row for row in _indexes_of(conn, table) if row[0] not in known] if table else []
        return any(valid and (not node.idxname or name == node.idxname) for _, name, valid, _ in made)
    was, now = before.get("there"), _is_there(conn, statement)
    return was is not None and now is not None and was != now


def _is_there(conn: psycopg.Connection[Any], statement: Statement) -> bool | None:
    """Whether what the statement makes, drops or detaches is there, or still a partition; None for other statements."""
    node = node_of(statement)
    if node is None:
        return None
    if statement.kind == "alter_table_stmt":
        partition = detached_partition(node)
        return None if partition is None else _pending(conn, partition) is not None
    if statement.kind == "drop_stmt":
        return any(_exists(conn, _names(thing)) for thing in node.objects)
    if statement.kind not in _OF_THE_CLUSTER:
        return None
    field, catalog, column = _OF_THE_CLUSTER[statement.kind]
    listed = sql.SQL("SELECT FROM {} WHERE {} = %s").format(
        sql.Identifier("pg_catalog", catalog), sql.Identifier(column)
    )
    return conn.execute(listed, (getattr(node, field),)).fetchone() is not None


def _pending_form(conn: psycopg.Connection[Any], statement: Statement) -> Statement:
    """A detaching that was broken off is brought to its end with FINALIZE; all else is sent as it is written."""
    node = node_of(statement)
    partition = detached_partition(node) if statement.kind == "alter_table_stmt" and node is not None else None
    if partition is None or node is None or not _pending(conn, partition):
        return statement
    form = sql.SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE")
    return replace(statement, sql=form.format(_identifier(node.relation), _identifier(partition)).as_string())


def _pending(conn: psycopg.Connection[Any], partition: Any) -> bool | None:
    """Whether the partition's detaching is pending; None where it is no partition (any more)."""
    row = conn.execute(
        "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = pg_catalog.to_regclass(%s)",
        (_identifier(partition).as_string(),),
    ).fetchone()
    return None if row is None else bool(row[0])


def _set_limits(conn: psycopg.Connection[Any], statement: Statement, limits: Limits) -> None:
    """Session settings for one statement. What takes no lock that a writer waits for may itself wait long: to give up
    would throw a whole index build away."""
    node = node_of(statement)
    gentle = statement.kind in ("index_stmt", "drop_stmt") or (
        statement.kind == "reindex_stmt" and node is not None and is_concurrent_reindex(node)
    )
    conn.execute(
        f"SET lock_timeout = {0 if gentle else limits.lock_timeout_ms};"
        f"SET statement_timeout = {round(limits.statement_timeout_s * 1000)}"
    )


def _drop_useless_namesake(conn: psycopg.Connection[Any], statement: Statement, watch: Watch) -> None:
    """An invalid index of the wanted name is a broken-off build: IF NOT EXISTS would take it for the index itself."""
    found = _namesake(conn, statement)
    if found is None or found[2]:
        return
    if found[0] not in {row[0] for row in conn.execute(_INVALID).fetchall()}:
        raise Refused(
            f"Another session builds the index {found[1]} at this moment.",
            "It was left alone, and our step was not begun.",
            "Wait for it to end, then resume.",
            place=f"{statement.file}:{statement.line}",
        )
    watch.emit("notice", {"message": f"the invalid index {found[1]} is built anew", "severity": "NOTICE"})
    _drop(conn, found[3], found[1], watch)


def _require_valid(conn: psycopg.Connection[Any], statement: Statement) -> None:
    found = _namesake(conn, statement)
    if found is not None and not found[2]:
        raise Refused(
            f"The index {found[1]} is there, but it is not valid: queries do not use it.",
            "The deploy stopped at this step.",
            "Resume it: the index is dropped and built anew.",
            place=f"{statement.file}:{statement.line}",
        )


def _namesake(conn: psycopg.Connection[Any], statement: Statement) -> tuple[int, str, bool, str] | None:
    """The index (oid, name, valid, schema) that bears the name which CREATE INDEX wants, on its table."""
    node = node_of(statement)
    table = _indexed_table(conn, statement)
    if node is None or table is None or not node.idxname:
        return None
    return next((row for row in _indexes_of(conn, table) if row[1] == node.idxname), None)


def _indexed_table(conn: psycopg.Connection[Any], statement: Statement) -> int | None:
    node = node_of(statement)
    if statement.kind != "index_stmt" or node is None:
        return None
    row = conn.execute(
        "SELECT pg_catalog.to_regclass(%s)::oid::bigint", (_identifier(node.relation).as_string(),)
    ).fetchone()
    return row[0] if row else None


def _indexes_of(conn: psycopg.Connection[Any], table: int) -> list[tuple[int, str, bool, str]]:
    return conn.execute(
        "SELECT i.indexrelid::bigint, c.relname::text, i.indisvalid, n.nspname::text FROM pg_catalog.pg_index i"
        " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = %s::bigint::oid",
        (table,),
    ).fetchall()


def _exists(conn: psycopg.Connection[Any], names: list[str]) -> bool:
    row = conn.execute(
        "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (sql.Identifier(*names).as_string(),)
    ).fetchone()
    return row is not None and bool(row[0])


def _names(thing: Any) -> list[str]:
    return [item.string.sval for item in thing.list.items]


def _identifier(relation: Any) -> sql.Identifier:
    return sql.Identifier(*([relation.schemaname] if relation.schemaname else []), relation.relname)


def _place(statement: Statement) -> dict[str, Any]:
    return {"file": statement.file, "line": statement.line, "sql": statement.sql, "lock": None}

"""Knows which functions that a script leaves behind change people's rows again whenever they are called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from services.database.dangers.bodies import unfiltered_writes
from services.database.dangers.danger import Danger
from services.database.dangers.tables import tables_of
from services.database.dangers.trail import Trail
from services.database.fingerprint import bare_search_path

_CALL_S = 2
_FUNCTIONS = """
SELECT p.oid::bigint, p.oid::pg_catalog.regprocedure::text, p.prosrc, l.lanname::text, p.prokind::text,
       p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype, p.pronargs = p.pronargdefaults,
       n.nspname::text, p.proname::text, p.provolatile = 'v'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops') AND p.prokind IN ('f', 'p')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e'
                  AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
"""
_WRITTEN = """
SELECT c.oid::bigint,
       pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)
FROM pg_catalog.pg_class c WHERE c.relkind = 'r'
"""


def changed_by_later_calls(
    before: psycopg.Connection[Any], after: psycopg.Connection[Any], trail: Trail
) -> list[Danger]:
    """Functions, new or replaced by the script, whose call changes rows of tables that were there before it.

    Those that can be called without arguments are called, and what they did is rolled back; of triggers and others
    the bodies are read: an UPDATE or DELETE in them without WHERE changes all rows.
    """
    known = {(oid, source) for oid, _, source, *_ in _functions(before)}
    old = {oid: table.full_name for oid, table in tables_of(before).items()}
    found = []
    for _oid, name, source, language, kind, is_trigger, no_arguments, schema, plain, volatile in (
        one for one in _functions(after) if (one[0], one[2]) not in known
    ):
        statement = trail.first_to_change(frozenset({("function", name)})) or _maker(trail, plain)
        place = (statement.file, statement.line) if statement else (None, None)
        changes: Iterator[tuple[str, str]] = iter(())
        if no_arguments and not is_trigger and volatile:
            changes = _by_calling(after, schema, plain, kind, old)
        elif volatile:
            changes = ((table, "all rows") for table in unfiltered_writes(source, language) if _is_old(table, old))
        for table, rows in changes:
            when = "Each time its trigger fires it" if is_trigger else "Each call of it"
            found.append(Danger("loss", name, f"{when} changes {rows} of {table}.", *place))
    return found


def _functions(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    with bare_search_path(conn):
        return conn.execute(_FUNCTIONS).fetchall()


def _by_calling(
    after: psycopg.Connection[Any], schema: str, name: str, kind: str, old: dict[int, str]
) -> Iterator[tuple[str, str]]:
    call = sql.SQL("CALL {}()" if kind == "p" else "SELECT {}()").format(sql.Identifier(schema, name))
    try:
        touched = _touched(after, call) & old.keys()
        written = _replaced_rows(after, call, {oid: old[oid] for oid in touched}) if touched else {}
    except psycopg.Error:
        return  # it cannot be called so: what it would do is not known here, and other probes say that it fails
    for table, rows in written.items():
        if rows:
            yield table, f"{rows} rows"


def _touched(conn: psycopg.Connection[Any], call: sql.Composed) -> set[int]:
    """Tables in which the call updates or deletes rows, whether it takes that back itself or not."""
    with _rolled_back(conn):
        before = dict(conn.execute(_WRITTEN).fetchall())
        conn.execute(call)
        return {oid for oid, writes in conn.execute(_WRITTEN).fetchall() if writes > before.get(oid, 0)}


def _replaced_rows(conn: psycopg.Connection[Any], call: sql.Composed, tables: dict[int, str]) -> dict[str, int]:
    """How many rows of each table are no longer the version that they were: what a call takes back does not count."""
    with _rolled_back(conn):
        before = {name: _count(conn, name, "true") for name in tables.values()}
        conn.execute(call)
        # A row that this transaction wrote is younger than every other.
        return {name: rows - _count(conn, name, "pg_catalog.age(t.xmin) > 0") for name, rows in before.items()}


@contextmanager
def _rolled_back(conn: psycopg.Connection[Any]) -> Iterator[None]:
    with conn.transaction(force_rollback=True):
        conn.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(_CALL_S * 1000)))
        yield


def _count(conn: psycopg.Connection[Any], name: str, condition: str) -> int:
    schema, _, table = name.partition(".")
    query = sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {} AS t WHERE {}")
    row = conn.execute(query.format(sql.Identifier(schema, table), sql.SQL(condition))).fetchone()
    return int(row[0]) if row else 0


def _is_old(table: str, old: dict[int, str]) -> bool:
    return any(table in (name, name.partition(".")[2]) for name in old.values())


def _maker(trail: Trail, name: str) -> Any:
    making = ("create_function_stmt", "do_stmt")
    steps = [one.statement for one in trail.steps if one.statement.kind in making and name in one.statement.sql]
    return steps[-1] if steps else None

"""Knows how to bring a target's rows to a shadow, masked, with one read-only transaction on the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.execution import Cancelled, Stopped, never
from services.database.fingerprint import user_tables
from services.database.rehearsal.masking import MaskKey, masked
from services.database.row_security import hides_rows

SAMPLE_PER_TABLE = 1000

_COLUMNS = """
SELECT a.attname::text,
       CASE WHEN t.typcategory = 'A' AND e.typname IN ('text', 'varchar') THEN 'text[]'
            ELSE pg_catalog.format_type(COALESCE(NULLIF(t.typbasetype, 0), a.atttypid), NULL) END,
       EXISTS (SELECT FROM pg_catalog.pg_constraint c
               WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND a.attnum = ANY (c.conkey))
         OR EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.contypid = a.atttypid AND c.contype = 'c')
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
WHERE a.attrelid = %s::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum
"""

_DOMAINS_MATTER = """
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_constraint c
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
  JOIN pg_catalog.pg_type t ON t.oid = COALESCE(a.atttypid, c.contypid)
  WHERE c.contype = 'c' AND t.typcategory = 'S' AND pg_catalog.pg_get_constraintdef(c.oid) ~* '@|mail')
"""
"""Whether a table or a domain asks for addresses of a certain form, maybe of certain senders only."""

_OPEN = f"""
SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
  AND NOT {hides_rows("c.oid")} ORDER BY 1, 2
"""
"""Tables of which the role sees every row, or whether there is one."""

_ORPHANS = """
SELECT c.conrelid::pg_catalog.regclass::text, c.confrelid::pg_catalog.regclass::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY k(n, at)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY at),
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY k(n, at)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY at)
FROM pg_catalog.pg_constraint c WHERE c.contype = 'f' AND c.convalidated
"""


_UNCHECKED = """
SELECT c.oid::bigint, c.relchecks, c.relhastriggers FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') AND (
  EXISTS (SELECT FROM pg_catalog.pg_constraint k
          WHERE k.conrelid = c.oid AND k.contype = 'c' AND NOT k.convalidated)
  OR EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled IN ('A', 'R')))
"""
"""Tables whose rows would be refused or changed while they are loaded: by a check that holds for new rows only, or by
a trigger that fires always."""

_AT_ONCE = 200
_ONE_WAY = (
    "SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1;"
    " SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET xmloption = 'content'"
)
"""How values are written on both sides, whatever the target's own settings are."""


@dataclass(frozen=True, slots=True)
class CopiedRows:
    """What came over. `incomplete`: tables ("schema.table") that hold rows in the target which the shadow lacks."""

    rows: int
    incomplete: frozenset[str]
    problems: tuple[str, ...]


def copy_rows(
    target: psycopg.Connection[Any],
    scratch: psycopg.Connection[Any],
    how: str,
    keep: Sequence[str] = (),
    cancelled: Cancelled = never,
) -> CopiedRows:
    """Copy rows of all user tables: how = "all", "sample" (the first of each table, orphans left out) or "none".

    keep: values that are not masked. target: inside a read-only transaction.
    scratch: the superuser's connection to the restored catalog.
    """
    total, incomplete, problems = 0, set(), []
    matters = target.execute(_DOMAINS_MATTER).fetchone()
    key = MaskKey.new(keeps_domains=matters is not None and bool(matters[0]))
    scratch.execute("SET session_replication_role = replica")  # no triggers, no foreign keys while loading
    for side in (target, scratch):
        side.execute(_ONE_WAY)
    held = scratch.execute(_UNCHECKED).fetchall()
    for oid, _, _ in held:
        scratch.execute("UPDATE pg_catalog.pg_class SET relchecks = 0, relhastriggers = false WHERE oid = %s", (oid,))
    if how == "none":
        incomplete |= _holding_rows(target)
    for schema, table in user_tables(target) if how != "none" else ():
        if cancelled():
            raise Stopped
        name = f"{schema}.{table}"
        target.execute("SAVEPOINT one_table")
        try:
            if how == "sample" and _is_sample_cut(target, schema, table):
                incomplete.add(name)
            total += _copy_table(target, scratch, (schema, table), how, (keep, key), cancelled)
        except psycopg.Error as error:
            incomplete.add(name)
            problems.append(f"the rows of {name} could not be copied ({error.sqlstate or 'connection lost'})")
            if target.closed:
                raise
            target.execute("ROLLBACK TO SAVEPOINT one_table")
    if how == "sample":
        _remove_orphans(scratch)
    for oid, checks, triggers in held:
        scratch.execute(
            "UPDATE pg_catalog.pg_class SET relchecks = %s, relhastriggers = %s WHERE oid = %s", (checks, triggers, oid)
        )
    scratch.execute("SET session_replication_role = origin")
    _copy_positions(target, scratch)
    return CopiedRows(total, frozenset(incomplete), tuple(problems))


def _holding_rows(target: psycopg.Connection[Any]) -> set[str]:
    """The tables that hold rows, those included of which the role may not see whether they do."""
    found = {f"{schema}.{table}" for schema, table in user_tables(target)}
    target.execute("SET LOCAL row_security = on")  # of these tables nothing is hidden
    seen = [(str(schema), str(table)) for schema, table in target.execute(_OPEN).fetchall()]
    for first in range(0, len(seen), _AT_ONCE):
        some = seen[first : first + _AT_ONCE]
        asked = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE NOT EXISTS (SELECT FROM ONLY {})").format(number, sql.Identifier(*place))
            for number, place in enumerate(some)
        )
        target.execute("SAVEPOINT some_tables")
        try:
            found -= {".".join(some[row[0]]) for row in target.execute(asked).fetchall()}
        except psycopg.Error:
            if target.closed:
                raise
            target.execute("ROLLBACK TO SAVEPOINT some_tables")  # then these may hold rows
        target.execute("RELEASE SAVEPOINT some_tables")
    target.execute("SET LOCAL row_security = off")
    return found


def _is_sample_cut(target: psycopg.Connection[Any], schema: str, table: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {} OFFSET {})")
    row = target.execute(query.format(sql.Identifier(schema, table), sql.Literal(SAMPLE_PER_TABLE))).fetchone()
    return row is not None and bool(row[0])


def _copy_table(
    target: psycopg.Connection[Any],
    scratch: psycopg.Connection[Any],
    place: tuple[str, str],
    how: str,
    mask: tuple[Sequence[str], MaskKey],
    cancelled: Cancelled,
) -> int:
    name = sql.Identifier(*place)
    columns = target.execute(_COLUMNS, (name.as_string(target),)).fetchall()
    if not columns:
        return 0
    limit = sql.SQL(" LIMIT {}").format(sql.Literal(SAMPLE_PER_TABLE)) if how == "sample" else sql.SQL("")
    source = sql.SQL("COPY (SELECT {} FROM ONLY {}{}) TO STDOUT").format(
        sql.SQL(", ").join(
            masked(column, kind, constrained=checked, keep=mask[0], key=mask[1]) for column, kind, checked in columns
        ),
        name,
        limit,
    )
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        name, sql.SQL(", ").join(sql.Identifier(column) for column, _, _ in columns)
    )
    with target.cursor() as reading, scratch.cursor() as writing:
        with reading.copy(source) as rows_out, writing.copy(into) as rows_in:
            for block in rows_out:
                if cancelled():
                    raise Stopped
                rows_in.write(block)
        return max(0, writing.rowcount)


def _remove_orphans(scratch: psycopg.Connection[Any]) -> None:
    """Take out sampled rows whose parent row was not sampled, until there are none left."""
    links = scratch.execute(_ORPHANS).fetchall()
    removed = -1
    while removed:
        removed = 0
        for child, parent, keys, parent_keys in links:
            pairs = zip(keys, parent_keys, strict=True)
            same = sql.SQL(" AND ").join(
                sql.SQL("p.{} = c.{}").format(sql.Identifier(theirs), sql.Identifier(ours)) for ours, theirs in pairs
            )
            given = sql.SQL(" AND ").join(sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(key)) for key in keys)
            query = sql.SQL("DELETE FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})")
            removed += scratch.execute(query.format(sql.SQL(child), given, sql.SQL(parent), same)).rowcount


def _copy_positions(target: psycopg.Connection[Any], scratch: psycopg.Connection[Any]) -> None:
    """Let the sequences stand where they stand. The view pg_sequences would lock each of them; reading does not."""
    rows = target.execute(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'"
        " AND n.nspname <> 'ops' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
        " AND CASE WHEN c.relkind = 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') END ORDER BY 1, 2"
    ).fetchall()
    for first in range(0, len(rows), _AT_ONCE):
        names = [sql.Identifier(*row) for row in rows[first : first + _AT_ONCE]]
        read = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, last_value, is_called FROM {}").format(sql.Literal(name.as_string(scratch)), name)
            for name in names
        )
        for name, value, called in target.execute(read).fetchall():
            scratch.execute("SELECT pg_catalog.setval(%s::pg_catalog.regclass, %s, %s)", (name, value, called))

"""The truth of loss, without the engine: all rows read by name before and after, numbers drawn, functions called."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg
from psycopg import sql

from tests.dangers.cases import Case

Rows = dict[str, tuple[list[str], list[tuple[Any, ...]], str]]

_TABLES = """
SELECT n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' {which} ORDER BY 1, 2
"""
_FUNCTIONS = """
SELECT p.oid::regprocedure::text, p.prosrc, p.prokind::text, n.nspname, p.proname,
       ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) t), p.prorettype = 'trigger'::regtype
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname IN ('public', 'private', 'reports', 'api') AND p.prokind IN ('f', 'p')
"""


def read_rows(conn: psycopg.Connection[Any], *, parts: bool) -> Rows:
    """Every table's columns and rows as text; parts: also those of partitions, by their own names."""
    conn.execute("SET TimeZone = 'UTC'")
    found: Rows = {}
    which = "" if parts else "AND NOT c.relispartition"
    for schema, name, kind in conn.execute(_TABLES.format(which=which).encode()).fetchall():
        only = sql.SQL("ONLY " if kind == "r" else "")
        cursor = conn.cursor()
        table = sql.Identifier(schema, name)
        head = cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or ()
        names = [one.name for one in head]
        texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(one)) for one in names) or sql.SQL("1")
        rows = cursor.execute(sql.SQL("SELECT {} FROM {}{}").format(texts, only, table)).fetchall()
        found[f"{schema}.{name}"] = (names, rows, kind)
    return found


def is_lost(case: Case, before: psycopg.Connection[Any], after: psycopg.Connection[Any]) -> str:
    """What of before is not there after, or "" for nothing."""
    return _lost_rows(case, before, after) or _lost_numbers(before, after) or _changed_later(case, before, after)


def _lost_rows(case: Case, before: psycopg.Connection[Any], after: psycopg.Connection[Any]) -> str:
    old, new = read_rows(before, parts=False), read_rows(after, parts=True)
    for name, (columns, rows, kind) in old.items():
        if not rows:
            continue
        places = case.parts.get(name) or (case.renames.get(name, name),)
        if any(place not in new for place in places):
            return f"{name} is gone"
        if kind == "m":
            continue
        if sentence := _differs(case, name, columns, rows, [new[place] for place in places]):
            return sentence
    return ""


def _differs(case: Case, name: str, columns: list[str], rows: list[tuple[Any, ...]], now: list[Any]) -> str:
    there = set(now[0][0])
    kept = []
    for at, column in enumerate(columns):
        other = case.columns.get(f"{name}.{column}", column)
        if other in there:
            kept.append((at, other))
        elif any(row[at] is not None for row in rows):
            return f"{name}.{column} is gone"
    want = Counter(tuple(_same(row[at]) for at, _ in kept) for row in rows)
    have: Counter[tuple[Any, ...]] = Counter()
    for names, found, _ in now:
        places = [names.index(other) for _, other in kept]
        have.update(tuple(_same(row[at]) for at in places) for row in found)
    return f"{(want - have).total()} rows of {name} are not as they were" if want - have else ""


def _same(value: str | None) -> str | None:
    """A value without what only its type adds: zeros at the end, UTC's offset."""
    if value is None:
        return None
    with suppress(InvalidOperation):
        return str(Decimal(value).normalize())
    return value.removesuffix("+00")


def _lost_numbers(before: psycopg.Connection[Any], after: psycopg.Connection[Any]) -> str:
    """Numbers are drawn, really, and must not be any that a row has or that was drawn before."""
    query = "SELECT schemaname || '.' || sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"
    there = {row[0] for row in after.execute("SELECT schemaname || '.' || sequencename FROM pg_sequences").fetchall()}
    for name, last in before.execute(query).fetchall():
        owner = before.execute(
            "SELECT n.nspname, c.relname, a.attname FROM pg_depend d JOIN pg_class c ON c.oid = d.refobjid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
            " AND a.attnum = d.refobjsubid WHERE d.objid = %s::regclass AND d.deptype IN ('a', 'i')", (name,)
        ).fetchone()  # fmt: skip
        if name not in there:
            if owner is None or _has_column(after, *owner):
                return f"the numbers of {name} are gone"
            continue
        drawn = after.execute("SELECT nextval(%s::regclass)", (name,)).fetchone()
        number = drawn[0] if drawn else 0
        if owner is None and number <= last:
            return f"{name} gives {number} again"
        if owner is not None and _has_column(after, *owner):
            taken = sql.SQL("SELECT count(*) FROM {} WHERE {} = {}").format(
                sql.Identifier(owner[0], owner[1]), sql.Identifier(owner[2]), sql.Literal(number)
            )
            row = after.execute(taken).fetchone()
            if row is not None and row[0]:
                return f"{name} gives {number}, which a row has"
    return ""


def _has_column(conn: psycopg.Connection[Any], schema: str, table: str, column: str) -> bool:
    found = conn.execute(
        "SELECT 1 FROM information_schema.columns WHERE table_schema = %s AND table_name = %s AND column_name = %s",
        (schema, table, column),
    )
    return found.fetchone() is not None


def _changed_later(case: Case, before: psycopg.Connection[Any], after: psycopg.Connection[Any]) -> str:
    """What the script left behind is called, with nothing as arguments: rows must stay the very same versions."""
    known = {(name, source) for name, source, *_ in before.execute(_FUNCTIONS).fetchall()}
    old = list(read_rows(before, parts=True))
    for name, source, kind, schema, plain, types, is_trigger in after.execute(_FUNCTIONS).fetchall():
        if (name, source) in known or is_trigger:
            continue
        nothing = sql.SQL(", ").join(sql.SQL("NULL::{}").format(sql.SQL(one)) for one in types)
        call = sql.SQL("CALL {}({})" if kind == "p" else "SELECT {}({})").format(sql.Identifier(schema, plain), nothing)
        if table := _touched_by(after, call, old):
            return f"{name} changes rows of {table}"
    if case.probe and (table := _touched_by(after, sql.SQL(case.probe), old)):
        return f"a trigger changes rows of {table}"
    return ""


def _touched_by(conn: psycopg.Connection[Any], call: sql.Composable, tables: list[str]) -> str:
    conn.execute("BEGIN")
    try:
        before = {name: _versions(conn, name) for name in tables}
        conn.execute(call)
        return next((name for name, versions in before.items() if versions - _versions(conn, name)), "")
    except psycopg.Error:
        return ""
    finally:
        conn.execute("ROLLBACK")


def _versions(conn: psycopg.Connection[Any], name: str) -> set[tuple[Any, ...]]:
    schema, _, table = name.partition(".")
    found = conn.execute("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)", (name,)).fetchone()
    if found is None or found[0] not in ("r", "p"):
        return set()
    query = sql.SQL("SELECT tableoid::text, ctid::text, xmin::text FROM {}").format(sql.Identifier(schema, table))
    return set(conn.execute(query).fetchall())

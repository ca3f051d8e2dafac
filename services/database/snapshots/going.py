"""Knows which tables and columns that a change had added hold something, and which can go without anything kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from services.database.script import Statement
from services.database.snapshots.effects import Place
from services.database.snapshots.foretold import all_placed, dropped_columns, dropped_tables, placed
from services.database.snapshots.kept_definitions import definitions_of
from services.database.snapshots.park import holds_rows
from services.database.snapshots.snapshot import columns_of, every_row_seen, is_home

_COLUMN = """
SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.oid = pg_catalog.to_regclass(%s) AND c.relkind = 'r' AND pg_catalog.quote_ident(a.attname) = %s
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
"""


@dataclass(frozen=True, slots=True)
class Added:
    """Columns that a change added to tables that it did not make. empty: those that hold no value."""

    written: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    empty: Mapping[Place, frozenset[str]] = field(default_factory=dict)


def added_columns(conn: psycopg.Connection[Any], snapshot_id: str) -> Added:
    """The columns that go when the snapshot's change is taken back, as far as they are there now."""
    changed = definitions_of(conn, snapshot_id)
    here = is_home(conn, snapshot_id)
    written: dict[Place, frozenset[str]] = {}
    empty: dict[Place, frozenset[str]] = {}
    for one in changed.after:
        if one.kind != "column" or one.key in changed.before.by_key or one.part_of not in changed.before.by_key:
            continue
        if here and ("column", one.oid, one.number) in changed.before.by_place:
            continue  # it only bears another name
        row = conn.execute(_COLUMN, (one.facts["table"], one.facts["name"])).fetchone()
        if row is not None:
            place, name = (row[0], row[1]), row[2]
            found = written if _holds_values(conn, place, name) else empty
            found[place] = found.get(place, frozenset()) | {name}
    return Added(written, empty)


def emptied_by(conn: psycopg.Connection[Any], statement: Statement) -> dict[Place, frozenset[str]]:
    """The columns of tables that a statement drops and in which nothing lies; nobody can write there any more."""
    found: dict[Place, frozenset[str]] = {}
    for place in all_placed(conn, dropped_tables(statement)):
        if _lock(conn, place) and not _holds(conn, place):
            found[place] = frozenset(columns_of(conn, *place)[0])
    for names, column in dropped_columns(statement):
        table = placed(conn, names)
        if table is not None and _lock(conn, table) and not _holds_values(conn, table, column):
            found[table] = found.get(table, frozenset()) | {column}
    return found


def _lock(conn: psycopg.Connection[Any], place: Place) -> bool:
    """Wait as the DROP would; False where it is no plain table."""
    row = conn.execute(
        "SELECT FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(%s) AND relkind = 'r'",
        (sql.Identifier(*place).as_string(conn),),
    ).fetchone()
    if row is None:
        return False
    conn.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(*place)))
    return True


def _holds(conn: psycopg.Connection[Any], place: Place) -> bool:
    with every_row_seen(conn, place):
        return holds_rows(conn, place)


def _holds_values(conn: psycopg.Connection[Any], place: Place, column: str) -> bool:
    if column not in columns_of(conn, *place)[0]:
        return False
    query = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {} WHERE {} IS NOT NULL)")
    with every_row_seen(conn, place):
        row = conn.execute(query.format(sql.Identifier(*place), sql.Identifier(column))).fetchone()
    return row is not None and bool(row[0])

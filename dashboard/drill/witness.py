"""An independent witness: what is in the database, seen over a connection of its own that the product does not use."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from services.database.fingerprint import Fingerprint, RowHash, catalog_fingerprint, difference, row_hash, user_tables
from services.database.server import find_binaries

DUMP_DEADLINE_S = 30
# pg_dump writes a fresh random word into every dump.
_RANDOM = re.compile(r"^\\(?:un)?restrict .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TableRows:
    """The hash of a table's rows, and that of each column's values by itself."""

    rows: RowHash
    values: Mapping[str, RowHash]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.values)


@dataclass(frozen=True, slots=True)
class Testimony:
    """Everything seen at one moment: the catalog, pg_dump's text of it (None without pg_dump), every table's rows."""

    catalog: Fingerprint
    dump: str | None
    tables: Mapping[str, TableRows]


def look(url: str) -> Testimony:
    """What is there now. url: of a role that may read everything."""
    with psycopg.connect(url, autocommit=True) as conn:
        tables = {f"{schema}.{name}": _rows_of(conn, schema, name) for schema, name in user_tables(conn)}
        return Testimony(catalog_fingerprint(conn), _dump(url), tables)


def _rows_of(conn: psycopg.Connection[Any], schema: str, table: str) -> TableRows:
    columns = _columns(conn, schema, table)
    values = {column: row_hash(conn, schema, table, [column]) for column in columns}
    return TableRows(row_hash(conn, schema, table, columns), values)


def differences(before: Testimony, after: Testimony) -> list[str]:
    """Every way in which the two differ, as sentences; empty: catalog and rows are the same."""
    told: list[str] = []
    if before.catalog.digest != after.catalog.digest:
        told.append(f"The catalog differs: {difference(before.catalog, after.catalog).sentence()}")
    elif before.dump != after.dump:
        told.append(f"pg_dump sees a difference: {_first_difference(before.dump or '', after.dump or '')}")
    for name in sorted(before.tables.keys() | after.tables.keys()):
        old, new = before.tables.get(name), after.tables.get(name)
        if old is None or new is None:
            told.append(f"The table {name} is {'new' if old is None else 'gone'}.")
        elif old != new:
            told.append(f"The rows of {name} differ: {old.rows.count} before, {new.rows.count} after.")
    return told


def lost_rows(url: str, before: Testimony, snapshot_id: str | None) -> int:
    """How many of the rows seen before are now neither in place nor in the snapshot; a lost value is a lost row."""
    lost = 0
    with psycopg.connect(url, autocommit=True) as conn:
        present = {f"{schema}.{name}" for schema, name in user_tables(conn)}
        for name, old in before.tables.items():
            schema, _, table = name.partition(".")
            left = _columns(conn, schema, table) if name in present else ()
            kept = [column for column in old.columns if column in left]
            gone = [column for column in old.columns if column not in left]
            if kept and not _still_there(conn, schema, table, old, kept):
                lost += max(1, old.rows.count - _count(conn, schema, table))
            elif gone and not _in_snapshot(conn, snapshot_id, name, old, gone):
                lost += old.rows.count
    return lost


def _still_there(conn: psycopg.Connection[Any], schema: str, table: str, old: TableRows, kept: list[str]) -> bool:
    if len(kept) == len(old.columns):
        return row_hash(conn, schema, table, old.columns) == old.rows
    return all(row_hash(conn, schema, table, [column]) == old.values[column] for column in kept)


def _count(conn: psycopg.Connection[Any], schema: str, table: str) -> int:
    return row_hash(conn, schema, table, []).count


def _in_snapshot(
    conn: psycopg.Connection[Any], snapshot_id: str | None, name: str, old: TableRows, gone: list[str]
) -> bool:
    """Whether a part of the snapshot holds the values of every column that went, each exactly as it was."""
    if old.rows.count == 0:
        return True
    if snapshot_id is None:
        return False
    parts = conn.execute(
        "SELECT copy_name, columns FROM ops.snapshot_parts"
        " WHERE snapshot_id::text = %s AND schema_name || '.' || table_name = %s",
        (snapshot_id, name),
    ).fetchall()
    return any(
        set(gone) <= set(columns)
        and all(row_hash(conn, "ops", copy, [column]) == old.values[column] for column in gone)
        for copy, columns in parts
    )


def _columns(conn: psycopg.Connection[Any], schema: str, table: str) -> tuple[str, ...]:
    found = conn.execute(
        "SELECT attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY attnum",
        (schema, table),
    ).fetchall()
    return tuple(row[0] for row in found)


def _dump(url: str) -> str | None:
    """pg_dump's own text of the schema without ours: a second opinion that shares no code with the fingerprint."""
    program = find_binaries().bin / "pg_dump"
    if not program.exists():
        return None
    dumped = subprocess.run(
        [program, "--schema-only", "--exclude-schema=ops", "--dbname", url],
        capture_output=True,
        text=True,
        timeout=DUMP_DEADLINE_S,
        check=True,
    )
    return _RANDOM.sub("", dumped.stdout)


def _first_difference(old: str, new: str) -> str:
    before, after = set(old.splitlines()), set(new.splitlines())
    gone = [line for line in old.splitlines() if line not in after]
    come = [line for line in new.splitlines() if line not in before]
    return f"gone: {gone[:1] or 'nothing'}; new: {come[:1] or 'nothing'} (or only the order)"

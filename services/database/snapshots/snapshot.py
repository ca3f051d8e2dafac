"""Knows how to keep what a rollback destroys: copies in schema `ops`, proved equal to what they were taken from."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from services.database.fingerprint import RowHash

PartKind = Literal["table", "column"]


class NotProved(Exception):
    """A copy does not equal its original; the transaction must not go on."""


@dataclass(frozen=True, slots=True)
class Part:
    """One copied piece: whole rows of a table, or some columns with the key that finds their rows again."""

    kind: PartKind
    schema: str
    table: str
    columns: tuple[str, ...]
    column_types: tuple[str, ...]
    key_columns: tuple[str, ...]
    copy_name: str
    rows: RowHash

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"


def new_snapshot(conn: psycopg.Connection[Any], release_id: str, actor: str) -> str:
    """Open a snapshot inside the transaction; returns its id."""
    snapshot_id = str(uuid.uuid4())
    conn.execute(
        "INSERT INTO ops.snapshots (id, release_id, actor) VALUES (%s, %s, %s)", (snapshot_id, release_id, actor)
    )
    return snapshot_id


def keep_table(conn: psycopg.Connection[Any], snapshot_id: str, part: int, schema: str, table: str) -> Part:
    """Copy all rows of a table. Writers of the table wait from here to the end of the transaction.

    Raises NotProved where the copy does not equal the table.
    """
    columns, types = _columns(conn, schema, table)
    return _keep(conn, snapshot_id, part, "table", (schema, table), columns, types, _key(conn, schema, table))


def keep_columns(
    conn: psycopg.Connection[Any], snapshot_id: str, part: int, schema: str, table: str, lost: Sequence[str]
) -> Part:
    """Copy some columns of a table with the key of each row; without a primary key, with all its other columns."""
    columns, types = _columns(conn, schema, table)
    key = [name for name in _key(conn, schema, table) if name not in lost]
    key = key or [name for name in columns if name not in lost]
    kept = [name for name in columns if name in key or name in lost]
    kept_types = [kind for name, kind in zip(columns, types, strict=True) if name in kept]
    return _keep(conn, snapshot_id, part, "column", (schema, table), kept, kept_types, key)


def _keep(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    part: int,
    kind: PartKind,
    place: tuple[str, str],
    columns: Sequence[str],
    types: Sequence[str],
    key: Sequence[str],
) -> Part:
    source = sql.Identifier(*place)
    copy_name = f"snapshot_{snapshot_id.split('-')[0]}_{part}"
    copy = sql.Identifier("ops", copy_name)
    # SHARE keeps writers out, so that no row can come between the copy and the change; readers go on.
    conn.execute(sql.SQL("LOCK TABLE ONLY {} IN SHARE MODE").format(source))
    # Values of types that the rollback may drop are kept as text; all others as they are.
    selected = sql.SQL(", ").join(
        sql.Identifier(name) if _lasting(conn, type_name) else sql.SQL("{0}::text AS {0}").format(sql.Identifier(name))
        for name, type_name in zip(columns, types, strict=True)
    )
    conn.execute(sql.SQL("CREATE TABLE {} AS SELECT {} FROM ONLY {}").format(copy, selected, source))
    before, after = text_hash(conn, source, columns), text_hash(conn, copy, columns)
    if before != after:
        raise NotProved(f"{place[0]}.{place[1]}")
    conn.execute(
        "INSERT INTO ops.snapshot_parts (snapshot_id, part, kind, schema_name, table_name, columns, column_types,"
        " key_columns, copy_name, row_count, row_digest) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            snapshot_id,
            part,
            kind,
            *place,
            list(columns),
            list(types),
            list(key),
            copy_name,
            after.count,
            after.digest,
        ),
    )
    return Part(kind, *place, tuple(columns), tuple(types), tuple(key), copy_name, after)


def text_hash(conn: psycopg.Connection[Any], table: sql.Identifier, columns: Sequence[str]) -> RowHash:
    """Count and order-free digest of the columns' texts, equal for an original and its copy."""
    values = sql.SQL(", ").join(sql.SQL("r.{}::text").format(sql.Identifier(name)) for name in columns)
    query = sql.SQL(
        "SELECT pg_catalog.count(*),"
        " pg_catalog.md5(COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 1, 16))::bit(64)::bigint)::text, '')"
        " || '/' || COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 17, 16))::bit(64)::bigint)::text, ''))"
        " FROM (SELECT pg_catalog.md5(ROW({})::text) AS h FROM ONLY {} r) hashes"
    ).format(values, table)
    row = conn.execute(query).fetchone()
    return RowHash(int(row[0]), str(row[1])) if row else RowHash(0, "")


def parts_of(conn: psycopg.Connection[Any], snapshot_id: str) -> list[Part]:
    """The parts of a snapshot, in the order in which they were taken."""
    query = "SELECT * FROM ops.snapshot_parts WHERE snapshot_id = %s ORDER BY part"
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, (snapshot_id,)).fetchall()
    return [
        Part(
            row["kind"],
            row["schema_name"],
            row["table_name"],
            tuple(row["columns"]),
            tuple(row["column_types"]),
            tuple(row["key_columns"]),
            row["copy_name"],
            RowHash(row["row_count"], row["row_digest"]),
        )
        for row in rows
    ]


def _columns(conn: psycopg.Connection[Any], schema: str, table: str) -> tuple[list[str], list[str]]:
    rows = conn.execute(
        "SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute"
        " WHERE attrelid = %s::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
        " ORDER BY attnum",
        (sql.Identifier(schema, table).as_string(conn),),
    ).fetchall()
    return [row[0] for row in rows], [row[1] for row in rows]


def _key(conn: psycopg.Connection[Any], schema: str, table: str) -> list[str]:
    rows = conn.execute(
        "SELECT a.attname::text FROM pg_catalog.pg_index i"
        " CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(number, at)"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number"
        " WHERE i.indrelid = %s::pg_catalog.regclass AND i.indisprimary ORDER BY k.at",
        (sql.Identifier(schema, table).as_string(conn),),
    ).fetchall()
    return [row[0] for row in rows]


def _lasting(conn: psycopg.Connection[Any], type_name: str) -> bool:
    """True for the server's own types, which no rollback can drop."""
    row = conn.execute(
        "SELECT t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace FROM pg_catalog.pg_type t"
        " WHERE t.oid = pg_catalog.to_regtype(%s)",
        (type_name,),
    ).fetchone()
    return row is not None and bool(row[0])

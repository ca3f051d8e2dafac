"""Knows which rows a change altered and what it made of them, so that a later write can be told from the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from services.database.fingerprint import RowHash
from services.database.snapshots.effects import Place
from services.database.snapshots.snapshot import Part, columns_of, every_row_seen, kept_values, key_of, record_part
from services.database.snapshots.storage import close_to_others, steady_texts

_OURS = sql.SQL(
    "pg_catalog.age(n.xmin) <= 0 AND pg_catalog.pg_xact_status("
    "(pg_catalog.pg_current_xact_id()::text::bigint - pg_catalog.age(n.xmin))::text::xid8) = 'in progress'"
)
"""Rows that this transaction wrote, in whichever savepoint: those of others that we can see have been committed."""

_KEYED = """
CREATE TABLE {image} AS
SELECT CASE WHEN n."ops key" IS NULL THEN 'deleted' WHEN b."ops key" IS NULL THEN 'inserted' ELSE 'changed' END
         AS "ops what", COALESCE(b."ops key", n."ops key") AS "ops key", 1::bigint AS "ops n", {values}
FROM (SELECT {b_key} AS "ops key", {b_hash} AS "ops hash" FROM ONLY {copy} b) b
FULL JOIN (SELECT {n_key} AS "ops key", {n_hash} AS "ops hash", n.* FROM ONLY {table} n) n ON n."ops key" = b."ops key"
WHERE b."ops hash" IS DISTINCT FROM n."ops hash" {only_changed}
"""

_COUNTED = """
CREATE TABLE {image} AS
SELECT CASE WHEN COALESCE(n."ops n", 0) > COALESCE(b."ops n", 0) THEN 'more' ELSE 'fewer' END AS "ops what",
       ARRAY[COALESCE(b."ops hash", n."ops hash")] AS "ops key",
       pg_catalog.abs(COALESCE(n."ops n", 0) - COALESCE(b."ops n", 0)) AS "ops n", {values}
FROM (SELECT {b_hash} AS "ops hash", pg_catalog.count(*) AS "ops n" FROM ONLY {copy} b GROUP BY 1) b
FULL JOIN (SELECT DISTINCT ON ("ops hash") * FROM (
    SELECT {n_hash} AS "ops hash", pg_catalog.count(*) OVER (PARTITION BY {n_hash}) AS "ops n", n.* FROM ONLY {table} n
  ) every) n ON n."ops hash" = b."ops hash"
WHERE b."ops n" IS DISTINCT FROM n."ops n"
"""

_ADDED_KEYED = """
CREATE TABLE {image} AS
SELECT 'inserted' AS "ops what", {n_key} AS "ops key", 1::bigint AS "ops n", {values} FROM ONLY {table} n WHERE {ours}
"""

_ADDED_COUNTED = """
CREATE TABLE {image} AS
SELECT DISTINCT ON ("ops key") 'more' AS "ops what", ARRAY[{n_hash}] AS "ops key",
       pg_catalog.count(*) OVER (PARTITION BY {n_hash}) AS "ops n", {values} FROM ONLY {table} n WHERE {ours}
"""


def key_text(alias: str, columns: Sequence[str]) -> sql.Composed:
    """The key of a row as an array of texts: one expression to join on, whatever its columns."""
    parts = (sql.SQL("{}.{}::text").format(sql.Identifier(alias), sql.Identifier(name)) for name in columns)
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(parts))


def hash_text(alias: str, columns: Sequence[str]) -> sql.Composed:
    """A digest of some columns of a row, by their texts."""
    parts = (sql.SQL("{}.{}::text").format(sql.Identifier(alias), sql.Identifier(name)) for name in columns)
    return sql.SQL("pg_catalog.md5(ROW({})::text)").format(sql.SQL(", ").join(parts))


def common_columns(part: Part, present: Sequence[str]) -> list[str]:
    """The columns that were there before and after, in their order of before."""
    return [name for name in part.columns if name in present]


def told_by_key(conn: psycopg.Connection[Any], part: Part, table: sql.Identifier, present: Sequence[str]) -> bool:
    """True if the part's key is still a key in `table`: all of it there, no two rows alike."""
    if not part.key_columns or not set(part.key_columns) <= set(present):
        return False
    query = sql.SQL(
        "SELECT NOT EXISTS (SELECT FROM ONLY {} r GROUP BY {} HAVING pg_catalog.count(*) > 1)"
        " AND NOT EXISTS (SELECT FROM ONLY {} r WHERE pg_catalog.num_nulls({}) > 0)"
    )
    names = sql.SQL(", ").join(sql.SQL("r.{}").format(sql.Identifier(name)) for name in part.key_columns)
    row = conn.execute(query.format(table, key_text("r", part.key_columns), table, names)).fetchone()
    return row is not None and bool(row[0])


def keep_after_image(conn: psycopg.Connection[Any], snapshot_id: str, number: int, part: Part) -> Part:
    """Keep what the change made of the part's rows; returns the part with where that is. Unchanged rows are not kept.

    A table that is not there any more has none: all its rows went.
    """
    with steady_texts(conn):
        columns, types = columns_of(conn, part.schema, part.table)
        if not columns:
            return part
        image_name = f"after_{snapshot_id.split('-')[0]}_{number}"
        common = common_columns(part, columns)
        keyed = told_by_key(conn, part, part.place, columns)
        if part.kind == "column" and not keyed:
            return part
        with every_row_seen(conn, (part.schema, part.table)):
            conn.execute(
                sql.SQL(_KEYED if keyed else _COUNTED).format(
                    image=sql.Identifier("ops", image_name),
                    values=kept_values(conn, columns, types, "n"),
                    b_key=key_text("b", part.key_columns),
                    n_key=key_text("n", part.key_columns),
                    b_hash=hash_text("b", common),
                    n_hash=hash_text("n", common),
                    copy=part.copy,
                    table=part.place,
                    # A copy of columns tells nothing of rows that came or went: none did, by measure.
                    only_changed=sql.SQL(
                        'AND b."ops key" IS NOT NULL AND n."ops key" IS NOT NULL' if part.kind == "column" else ""
                    ),
                )
            )
        close_to_others(conn, image_name)
    conn.execute(
        "UPDATE ops.snapshot_parts SET after_name = %s, after_columns = %s, after_types = %s"
        " WHERE snapshot_id = %s AND part = %s",
        (image_name, columns, types, snapshot_id, number),
    )
    return replace(part, after_name=image_name, after_columns=tuple(columns), after_types=tuple(types))


def keep_inserted(conn: psycopg.Connection[Any], snapshot_id: str, number: int, place: Place) -> Part:
    """Keep the rows that this transaction added to a table of which nothing went."""
    with steady_texts(conn):
        columns, types = columns_of(conn, *place)
        key = key_of(conn, *place)
        image_name = f"after_{snapshot_id.split('-')[0]}_{number}"
        with every_row_seen(conn, place):
            conn.execute(
                sql.SQL(_ADDED_KEYED if key else _ADDED_COUNTED).format(
                    image=sql.Identifier("ops", image_name),
                    values=kept_values(conn, columns, types, "n"),
                    n_key=key_text("n", key),
                    n_hash=hash_text("n", columns),
                    table=sql.Identifier(*place),
                    ours=_OURS,
                )
            )
        close_to_others(conn, image_name)
    kept = (tuple(columns), tuple(types))
    part = Part("inserted", *place, *kept, tuple(key), "", RowHash(0, ""), image_name, *kept)
    record_part(conn, snapshot_id, number, part)
    return part

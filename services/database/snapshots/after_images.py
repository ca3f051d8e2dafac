"""Knows which rows a change altered and what it made of them, so that a later write can be told from the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from services.database.fingerprint import RowHash
from services.database.snapshots.casts import bare_text
from services.database.snapshots.effects import Place
from services.database.snapshots.snapshot import (
    Part,
    columns_of,
    every_row_seen,
    is_table,
    kept_values,
    key_of,
    record_part,
    refuse_unkeepable,
)
from services.database.snapshots.storage import close_to_others, steady_texts

_OURS = sql.SQL(
    "pg_catalog.age(n.xmin) <= 0 AND pg_catalog.pg_xact_status("
    "(pg_catalog.pg_current_xact_id()::text::bigint - pg_catalog.age(n.xmin))::text::xid8) = 'in progress'"
)
"""Rows that this transaction wrote, in whichever savepoint: those of others that we can see have been committed."""

_KEYED = """
CREATE TABLE {image} AS
SELECT CASE WHEN n.{one} IS NULL THEN 'deleted' WHEN b.{one} IS NULL THEN 'inserted' ELSE 'changed' END AS "ops what",
       CASE WHEN b.{one} IS NULL THEN {n_key} ELSE {b_key} END AS "ops key", 1::bigint AS "ops n"{values}
FROM ONLY {copy} b FULL JOIN {table} n ON {same_key}
WHERE (b.{one} IS NULL OR n.{one} IS NULL OR {differs}) {only_changed}
"""
"""Writers wait for it: keys are joined as they are where that is exact, and values compared without a digest."""

_EXACT = frozenset({"smallint", "integer", "bigint", "uuid"})
"""Types of which two values are equal if, and only if, their texts are."""

_COUNTED = """
CREATE TABLE {image} AS
SELECT CASE WHEN COALESCE(n."ops n", 0) > COALESCE(b."ops n", 0) THEN 'more' ELSE 'fewer' END AS "ops what",
       ARRAY[COALESCE(b."ops hash", n."ops hash")] AS "ops key",
       pg_catalog.abs(COALESCE(n."ops n", 0) - COALESCE(b."ops n", 0)) AS "ops n"{values}
FROM (SELECT {b_hash} AS "ops hash", pg_catalog.count(*) AS "ops n" FROM ONLY {copy} b GROUP BY 1) b
FULL JOIN (SELECT DISTINCT ON ("ops hash") * FROM (
    SELECT {n_hash} AS "ops hash", pg_catalog.count(*) OVER (PARTITION BY {n_hash}) AS "ops n", n.* FROM {table} n
  ) every) n ON n."ops hash" = b."ops hash"
WHERE b."ops n" IS DISTINCT FROM n."ops n"
"""

_ADDED_KEYED = """
CREATE TABLE {image} AS
SELECT 'inserted' AS "ops what", {n_key} AS "ops key", 1::bigint AS "ops n"{values} FROM ONLY {table} n WHERE {ours}
"""

_ADDED_COUNTED = """
CREATE TABLE {image} AS
SELECT DISTINCT ON ("ops key") 'more' AS "ops what", ARRAY[{n_hash}] AS "ops key",
       pg_catalog.count(*) OVER (PARTITION BY {n_hash}) AS "ops n"{values} FROM ONLY {table} n WHERE {ours}
"""


def key_text(alias: str, columns: Sequence[str]) -> sql.Composed:
    """The key of a row as an array of texts: one expression to join on, letter by letter, whatever its columns."""
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(_bare_text(alias, name) for name in columns))


def hash_text(alias: str, columns: Sequence[str]) -> sql.Composed:
    """A digest of some columns of a row, by their texts."""
    parts = (sql.SQL("{}.{}::text").format(sql.Identifier(alias), sql.Identifier(name)) for name in columns)
    return sql.SQL("pg_catalog.md5(ROW({})::text)").format(sql.SQL(", ").join(parts))


def common_columns(part: Part, present: Sequence[str]) -> list[str]:
    """The columns that were there before and after, in their order of before."""
    return [name for name in part.columns if name in present]


def told_by_key(
    conn: psycopg.Connection[Any], key: Sequence[str], rows: sql.Composable, present: Sequence[str]
) -> bool:
    """True if the key of before still is one in the rows of now: all of it there, no two rows alike."""
    if not key or not set(key) <= set(present):
        return False
    query = sql.SQL(
        "SELECT NOT EXISTS (SELECT FROM {rows} r GROUP BY {key} HAVING pg_catalog.count(*) > 1)"
        " AND NOT EXISTS (SELECT FROM {rows} r WHERE pg_catalog.num_nulls({names}) > 0)"
    )
    names = sql.SQL(", ").join(sql.SQL("r.{}").format(sql.Identifier(name)) for name in key)
    row = conn.execute(query.format(rows=rows, key=key_text("r", key), names=names)).fetchone()
    return row is not None and bool(row[0])


def keep_after_image(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    number: int,
    part: Part,
    place: Place,
    renamed: Mapping[str, str],
) -> Part:
    """Keep what the change made of the part's rows; returns the part with where that is. Unchanged rows are not kept.

    place: where the table stands now; renamed: its columns with another name now, new -> old. They are kept by the
    names of before. A table that is not there any more, or is a view now, has no after-image: all its rows went.
    """
    with steady_texts(conn):
        names, types = columns_of(conn, *place)
        if not is_table(conn, place):
            return part
        columns = [renamed.get(name, name) for name in names]
        view = sql.SQL("(SELECT {} FROM ONLY {})").format(
            sql.SQL(", ").join(
                sql.SQL("{} AS {}").format(sql.Identifier(name), sql.Identifier(old))
                for name, old in zip(names, columns, strict=True)
            ),
            sql.Identifier(*place),
        )
        image_name = f"after_{snapshot_id.split('-')[0]}_{number}"
        common = common_columns(part, columns)
        with every_row_seen(conn, place):
            # A key that is one by an index still needs no counting, while writers wait.
            keyed = _is_key_still(conn, part, place, renamed) or told_by_key(conn, part.key_columns, view, columns)
            if part.kind == "column" and not keyed:
                return part
            given = {
                "image": sql.Identifier("ops", image_name),
                "values": _besides(kept_values(conn, columns, types, "n"), columns),
                "copy": part.copy,
                "table": view,
            }
            if keyed:
                now = dict(zip(columns, types, strict=True))
                conn.execute(sql.SQL(_KEYED).format(**given, **_compared(part, common, now)))
            else:
                hashes = {"b_hash": hash_text("b", common), "n_hash": hash_text("n", common)}
                conn.execute(sql.SQL(_COUNTED).format(**given, **hashes))
        close_to_others(conn, image_name)
    conn.execute(
        "UPDATE ops.snapshot_parts SET after_name = %s, after_columns = %s, after_types = %s"
        " WHERE snapshot_id = %s AND part = %s",
        (image_name, columns, types, snapshot_id, number),
    )
    return replace(part, after_name=image_name, after_columns=tuple(columns), after_types=tuple(types))


def _besides(values: sql.Composable, columns: Sequence[str]) -> sql.Composable:
    """The values after others; a table may have none that it keeps."""
    return sql.SQL(", {}").format(values) if columns else sql.SQL("")


def _is_key_still(conn: psycopg.Connection[Any], part: Part, place: Place, renamed: Mapping[str, str]) -> bool:
    now = [renamed.get(name, name) for name in key_of(conn, *place)]
    return bool(part.key_columns) and now == list(part.key_columns)


def _compared(part: Part, common: Sequence[str], now: Mapping[str, str]) -> dict[str, sql.Composable]:
    """How rows of before (b) and of now (n) are matched and told apart. now: the types of the columns of now."""
    was = dict(zip(part.columns, part.column_types, strict=True))
    exact = {name for name in part.key_columns if was[name] == now[name] and now[name] in _EXACT}
    pairs = (
        sql.SQL("n.{0} = b.{0}").format(sql.Identifier(name))
        if name in exact
        else sql.SQL("{} = {}").format(_bare_text("n", name), _bare_text("b", name))
        for name in part.key_columns
    )
    sides = (sql.SQL(", ").join(_bare_text(alias, name) for name in common) for alias in ("b", "n"))
    one = sql.Identifier(part.key_columns[0])
    return {
        "one": one,
        "b_key": key_text("b", part.key_columns),
        "n_key": key_text("n", part.key_columns),
        "same_key": sql.SQL(" AND ").join(pairs),
        "differs": sql.SQL("ROW({}) IS DISTINCT FROM ROW({})").format(*sides),
        "only_changed": sql.SQL(_only_changed(part, common)).format(one=one),
    }


def _bare_text(alias: str, name: str) -> sql.Composed:
    return bare_text(sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(name)))


def _only_changed(part: Part, common: Sequence[str]) -> str:
    """Of a copy of columns no row came or went, by measure; where all of its columns are gone no row was changed."""
    if part.kind != "column":
        return ""
    if set(common) <= set(part.key_columns):
        return "AND false"
    return "AND b.{one} IS NOT NULL AND n.{one} IS NOT NULL"


def keep_inserted(conn: psycopg.Connection[Any], snapshot_id: str, number: int, place: Place) -> Part:
    """Keep the rows that this transaction added to a table of which nothing went."""
    with steady_texts(conn):
        columns, types = columns_of(conn, *place)
        refuse_unkeepable(place, columns)
        key = key_of(conn, *place)
        image_name = f"after_{snapshot_id.split('-')[0]}_{number}"
        with every_row_seen(conn, place):
            conn.execute(
                sql.SQL(_ADDED_KEYED if key else _ADDED_COUNTED).format(
                    image=sql.Identifier("ops", image_name),
                    values=_besides(kept_values(conn, columns, types, "n"), columns),
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

"""Knows how conflicts are told, by the first of their keys, and written down in `ops.conflicts` with their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from services.database.snapshots.after_images import key_text
from services.database.snapshots.merge import Conflict, Merge, Why
from services.database.snapshots.snapshot import Part

KEY = sql.Identifier("ops key")
"""The column of an after-image that holds the key of its row, as texts."""

_EXAMPLES = 20


def told(table: str, why: str, keys: Sequence[Sequence[str]]) -> Conflict:
    """A conflict of these keys, the first few of which are named."""
    return Conflict(
        table, str(why), len(keys), tuple(", ".join(key) for key in sorted(list(key) for key in keys)[:_EXAMPLES])
    )


def note(conn: psycopg.Connection[Any], snapshot_id: str, part: Part, why: str, keys: Sequence[Sequence[str]]) -> None:
    """Write down conflicts of which there is nothing to say but their keys."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.conflicts (snapshot_id, table_name, key, why) VALUES (%s, %s, %s, %s)",
            [(snapshot_id, part.name, list(key), why) for key in keys],
        )


def write_conflicts(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    part: Part,
    table: sql.Composable,
    columns: Sequence[str],
    done: Merge,
) -> None:
    """Write down what a merge decided to leave as it is; table: where the rows of now stand, columns: what it merged.

    Adds the conflicts to `done`.
    """
    found = conn.execute(
        "SELECT action, key, clash FROM pg_temp.ops_merge WHERE action IN ('WRITTEN', 'TAKEN', 'GONE', 'BOTH')"
    ).fetchall()
    for name in ("TAKEN", "GONE", "WRITTEN", "BOTH"):
        keys = [key for action, key, _ in found if action == name]
        if not keys:
            continue
        done.conflicts.append(told(part.name, Why[name], keys))
        if name != "BOTH":
            note(conn, snapshot_id, part, Why[name], keys)
    for column in columns:
        if any(column in both for action, _, both in found if action == "BOTH"):
            _note_values(conn, snapshot_id, part, table, column)


def _note_values(
    conn: psycopg.Connection[Any], snapshot_id: str, part: Part, table: sql.Composable, column: str
) -> None:
    """The three values of a column that both altered stay in the database, in schema `ops`."""
    name = sql.Identifier(column)
    has_after = column in part.after_columns
    conn.execute(
        sql.SQL(
            "INSERT INTO ops.conflicts (snapshot_id, table_name, key, column_name, why, before, after, now)"
            " SELECT {id}, {table_name}, m.key, {column}, {why}, b.{name}::text, {after},"
            " COALESCE({whole}, t.{name}::text)"
            " FROM pg_temp.ops_merge m JOIN {copy} b ON {b_key} = m.key"
            ' LEFT JOIN {image} a ON a.{key} COLLATE pg_catalog."C" = m.key'
            " JOIN ONLY {table} t ON {t_key} = m.key WHERE m.action = 'BOTH' AND {column} = ANY(m.clash)"
        ).format(
            id=sql.Literal(snapshot_id),
            table_name=sql.Literal(part.name),
            column=sql.Literal(column),
            why=sql.Literal(str(Why.BOTH)),
            whole=_whole_value(snapshot_id, part, column),
            name=name,
            after=sql.SQL("a.{}::text").format(name) if has_after else sql.SQL("NULL"),
            copy=part.copy,
            b_key=key_text("b", part.key_columns),
            image=sql.Identifier("ops", str(part.after_name)),
            key=KEY,
            table=table,
            t_key=key_text("t", part.key_columns),
        )
    )


def _whole_value(snapshot_id: str, part: Part, column: str) -> sql.Composed:
    """The value of now as it was written, where it had to be shortened to fit the type of before."""
    return sql.SQL(
        "(SELECT c.now FROM ops.conflicts c WHERE c.snapshot_id = {} AND c.table_name = {} AND c.key = m.key"
        " AND c.column_name = {} AND c.why = {} AND c.found_at >= pg_catalog.transaction_timestamp() LIMIT 1)"
    ).format(sql.Literal(snapshot_id), sql.Literal(part.name), sql.Literal(column), sql.Literal(str(Why.NO_CAST)))

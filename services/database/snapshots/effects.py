"""Knows, by effect, which rows and columns a transaction has taken from the tables that were there when it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.errors import Refused

_STATES = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relfilenode::bigint,
       pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid), pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid),
       (SELECT pg_catalog.array_agg(ROW(a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod))::text
                                    ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
       (SELECT pg_catalog.array_agg(a.attnum ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (%(schema)s::text IS NULL OR n.nspname = %(schema)s)
"""

Place = tuple[str, str]
"""(schema, table)."""


@dataclass(frozen=True, slots=True)
class TableState:
    """One table as the transaction sees it; the counters run from the start of the transaction.

    shape: name and type of every column, in order; stored: number -> name of the columns that hold values of their own.
    """

    place: Place
    file: int
    inserted: int
    updated: int
    deleted: int
    shape: tuple[str, ...]
    stored: Mapping[int, str] = field(default_factory=dict)

    def rows_touched_since(self, old: TableState) -> bool:
        return self.file != old.file or self.updated > old.updated or self.deleted > old.deleted


def table_states(conn: psycopg.Connection[Any], schema: str | None = None) -> dict[int, TableState]:
    """Every user table by its oid, those parked in schema `ops` included; with a schema only what is in it.

    Raises Refused where the server counts nothing: then nobody could tell what a script took.
    """
    counting = conn.execute("SELECT pg_catalog.current_setting('track_counts')").fetchone()
    if counting is None or counting[0] != "on":
        raise Refused(
            "The server does not count rows that change (track_counts is off).",
            "Nothing was changed: what the statements take could not be told.",
            "Turn track_counts on, then try again.",
        )
    return {int(row[0]): _state(*row[1:]) for row in conn.execute(_STATES, {"schema": schema}).fetchall()}


def _state(*values: Any) -> TableState:
    schema, name, file, inserted, updated, deleted, shape, names, numbers = values
    stored = dict(zip(numbers or (), names or (), strict=True))
    return TableState((schema, name), file, inserted, updated, deleted, tuple(shape or ()), stored)

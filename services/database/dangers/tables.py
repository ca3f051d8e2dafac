"""Knows the tables of a database as they can be told again after a change: by oid, with columns by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from services.database.fingerprint import bare_search_path

_TABLES = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,
       CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid)::oid::bigint ELSE c.oid::bigint END,
       ARRAY(SELECT ARRAY[a.attnum::text, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
                          (a.attgenerated <> '')::text]
             FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       c.relpersistence <> 'u'
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its number stays the same while it lives, whatever it is called."""

    number: int
    name: str
    type: str
    generated: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One table or materialized view. root: the oid of the partitioned table that it is a part of, else its own.

    logged: its rows are there after a crash of the server too, and on its replicas.
    """

    oid: int
    schema: str
    name: str
    kind: str
    root: int
    columns: Mapping[int, Column]
    logged: bool = True

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


def tables_of(conn: psycopg.Connection[Any]) -> dict[int, Table]:
    """Every table outside system schemas and `ops`, by oid. Clones of one database give a table the same oid."""
    found = {}
    with bare_search_path(conn):
        rows = conn.execute(_TABLES).fetchall()
    for oid, schema, name, kind, root, columns, logged in rows:
        columns_of = {int(one[0]): _column(one) for one in columns}
        found[oid] = Table(oid, schema, name, kind, root, columns_of, logged)
    return found


def _column(told: Sequence[str]) -> Column:
    number, name, kind, generated = told
    return Column(int(number), name, kind, generated == "true")

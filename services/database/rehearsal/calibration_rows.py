"""Knows how to fill a clone's table to a size: with its own rows over and over, or with made ones where it is empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.execution import Cancelled, run_sql

_SAMPLE = 10_000
_COLUMNS = """
SELECT a.attname::text, t.typname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
  EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND (i.indisunique OR i.indisexclusion)
          AND (a.attnum = ANY (i.indkey) OR i.indexprs IS NOT NULL))
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type b ON b.oid = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = COALESCE(NULLIF(b.typbasetype, 0), b.oid)
WHERE a.attrelid = %s::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum
"""
_MADE = {
    "int2": "(n % 32000)",
    "int4": "n",
    "int8": "n",
    "numeric": "n",
    "float4": "n",
    "float8": "n",
    "text": "pg_catalog.md5(n::text)",
    "varchar": "pg_catalog.md5(n::text)",
    "bpchar": "pg_catalog.md5(n::text)",
    "citext": "pg_catalog.md5(n::text)",
    "name": "pg_catalog.md5(n::text)",
    "uuid": "pg_catalog.md5(n::text)::pg_catalog.uuid",
    "bool": "(n % 2 = 0)",
    "timestamptz": "('2000-01-01 00:00+00'::pg_catalog.timestamptz + n * interval '1 second')",
    "timestamp": "('2000-01-01 00:00'::pg_catalog.timestamp + n * interval '1 second')",
    "date": "('2000-01-01'::pg_catalog.date + (n % 9000)::int)",
    "jsonb": "pg_catalog.jsonb_build_object('n', n)",
    "json": "pg_catalog.json_build_object('n', n)",
    "bytea": "pg_catalog.decode(pg_catalog.md5(n::text), 'hex')",
}


class CannotFill(Exception):
    """Rows for the table cannot be made; the text names it."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str
    type: str
    not_null: bool
    unique: bool


def fill(conn: psycopg.Connection[Any], relation: str, rows: int, cancelled: Cancelled) -> int:
    """Bring a table ("schema.name") of a clone to that many rows, as the superuser; gives how many it then has.

    Keys are new for every row, all else comes from rows that are there. Raises CannotFill, Stopped.
    """
    schema, _, bare = relation.partition(".")
    table = sql.Identifier(schema, bare)
    columns = [_Column(*row) for row in conn.execute(_COLUMNS, (table.as_string(conn),)).fetchall()]
    row = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(table)).fetchone()
    have = int(row[0]) if row else 0
    if have >= rows or not columns:
        return have
    values = [_value(column, have, relation) for column in columns]
    named = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    source = sql.SQL(" FROM pg_catalog.generate_series({}, {}) AS made(n)").format(
        sql.Literal(have + 1), sql.Literal(rows)
    )
    if have:
        source += sql.SQL(
            " JOIN (SELECT pg_catalog.row_number() OVER () AS place, old.* FROM {} AS old LIMIT {}) AS old"
            " ON old.place = 1 + n % {}"
        ).format(table, sql.Literal(_SAMPLE), sql.Literal(min(have, _SAMPLE)))
    insert = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {}{}").format(
        table, named, sql.SQL(", ").join(values), source
    )
    conn.execute("SET session_replication_role = replica")
    conn.execute("UPDATE pg_catalog.pg_class SET relchecks = 0 WHERE oid = %s::regclass", (table.as_string(conn),))
    try:
        run_sql(conn, insert.as_string(conn), cancelled=cancelled)
        conn.execute(sql.SQL("ANALYZE {}").format(table))
    except psycopg.Error as error:
        raise CannotFill(f"rows for {relation} cannot be made ({error.sqlstate})") from error
    finally:
        conn.execute(
            "UPDATE pg_catalog.pg_class c SET relchecks = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_constraint k"
            " WHERE k.conrelid = c.oid AND k.contype = 'c') WHERE c.oid = %s::regclass",
            (table.as_string(conn),),
        )
        conn.execute("SET session_replication_role = origin")
    return rows


def _value(column: _Column, have: int, relation: str) -> sql.Composable:
    """How one column of a new row is made."""
    if have and not column.unique:
        return sql.SQL("old.{}").format(sql.Identifier(column.name))
    made = _MADE.get(column.kind)
    if made is None:
        if column.not_null:
            raise CannotFill(f"rows for {relation} cannot be made: {column.name} is {column.type}")
        return sql.SQL("NULL")
    if have and column.kind in ("int4", "int8", "numeric", "float8"):
        made = f"({made} + 1000000000)"  # beyond what is there
    return sql.SQL("({})::{}").format(sql.SQL(made), sql.SQL(column.type))

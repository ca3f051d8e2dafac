"""Knows how a kept value becomes one of a column's type again, whatever type it was kept or written in."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors, sql

_TRY = """
CREATE OR REPLACE FUNCTION pg_temp.ops_text_as(value text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE pg_catalog.format('SELECT (%L::%s)::text', value, type) INTO result;
  RETURN result;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR undefined_table OR undefined_object
  OR undefined_function OR invalid_schema_name THEN RETURN NULL;
END $$
"""

NO_VALUE = (
    *(errors.DataError, errors.UndefinedTable, errors.UndefinedObject, errors.UndefinedFunction),
    *(errors.InvalidSchemaName, errors.CheckViolation),
)
"""What the server says of a text that is no value of a type: also of names of objects, and of a domain's check."""


def bare_text(value: sql.Composable) -> sql.Composed:
    """The text of a value, compared letter by letter whatever its collation."""
    return sql.SQL('({})::text COLLATE pg_catalog."C"').format(value)


def cast_of(conn: psycopg.Connection[Any], value: sql.Composable, kind: str, wanted: str) -> sql.Composed:
    """The value, which is of one type, as one of another: by the server's cast, else by its text."""
    if kind == wanted or not _has_cast(conn, kind, wanted):
        value = value if kind == wanted else sql.SQL("{}::text").format(value)
    return sql.SQL("{}::{}").format(value, sql.SQL(wanted))


def _has_cast(conn: psycopg.Connection[Any], kind: str, wanted: str) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_cast WHERE castsource = pg_catalog.to_regtype(%s)"
        " AND casttarget = pg_catalog.to_regtype(%s))",
        (kind, wanted),
    ).fetchone()
    same = conn.execute("SELECT pg_catalog.to_regtype(%s) = pg_catalog.to_regtype(%s)", (kind, wanted)).fetchone()
    return bool((row and row[0]) or (same and same[0]))


def try_casts(conn: psycopg.Connection[Any]) -> None:
    """Make `text_as` usable in this session."""
    conn.execute(_TRY)


def text_as(value: sql.Composable, wanted: str) -> sql.Composed:
    """The text of a value once it is of the type wanted; NULL where it cannot be. After `try_casts` only."""
    return sql.SQL("pg_temp.ops_text_as({}::text, {})").format(value, sql.Literal(wanted))

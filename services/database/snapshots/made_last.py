"""Knows how constraints, indexes and the like are made when rows are back, and what becomes of rows they refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.snapshots.effects import Place
from services.database.snapshots.merge import Conflict, Why
from services.database.snapshots.standing_tables import nothing_acts

_LENGTH = 100
_UNCHECKED = "rows do not fit it any more: it is there, but does not check those that are"

_FOREIGN_KEY = """
SELECT n.nspname::text, c.relname::text, k.conname::text, rn.nspname::text, rc.relname::text,
  ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(n, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.at),
  ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(n, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.at)
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class rc ON rc.oid = k.confrelid
JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
WHERE k.contype = 'f' AND k.conname = %s AND n.nspname = %s AND c.relname = %s
"""


def make_last(
    conn: psycopg.Connection[Any], statements: Sequence[str], put_back: Mapping[Place, sql.Composable]
) -> list[Conflict]:
    """Run these one by one. What rows stand against is made without checking them where the server can, else not at
    all, and told. put_back: by table, which of its rows `n` were put back: those without parents go again."""
    found: list[Conflict] = []
    for text in statements:
        conn.execute("SAVEPOINT ops_last")
        try:
            conn.execute(text.encode())
        except (errors.IntegrityError, errors.ProgrammingError, errors.DataError, errors.NotSupportedError) as error:
            conn.execute("ROLLBACK TO SAVEPOINT ops_last")
            found += _without_checking(conn, text, error, put_back)
        conn.execute("RELEASE SAVEPOINT ops_last")
    return found


def _without_checking(
    conn: psycopg.Connection[Any], text: str, error: psycopg.Error, put_back: Mapping[Place, sql.Composable]
) -> list[Conflict]:
    whole = " ".join(text.split())
    named = whole if len(whole) <= _LENGTH else f"{whole[:_LENGTH]} ..."
    if isinstance(error, errors.ForeignKeyViolation | errors.CheckViolation) and " ADD CONSTRAINT " in text:
        conn.execute("SAVEPOINT ops_unchecked")
        try:
            conn.execute(f"{text} NOT VALID".encode())
        except psycopg.errors.Error:
            conn.execute("ROLLBACK TO SAVEPOINT ops_unchecked")
        else:
            conn.execute("RELEASE SAVEPOINT ops_unchecked")
            if isinstance(error, errors.ForeignKeyViolation):
                return _without_orphans(conn, error, named, put_back)
            return [Conflict(named, _UNCHECKED, 0)]
    return [Conflict(named, error.diag.message_primary or "the server refuses it", 0)]


def _without_orphans(
    conn: psycopg.Connection[Any], error: psycopg.Error, named: str, put_back: Mapping[Place, sql.Composable]
) -> list[Conflict]:
    """Take out again those rows that we put back and whose parents are gone since; check the rest.

    A row that stood there all the time stays, also where we wrote the value into it that has no parent any more.
    """
    at = (error.diag.constraint_name, error.diag.schema_name, error.diag.table_name)
    row = conn.execute(_FOREIGN_KEY, at).fetchone()
    if row is None:
        return [Conflict(named, str(Why.NO_PARENT), 0)]
    schema, table, name, of_schema, of_table, columns, of_columns = row
    found: list[Conflict] = []
    if (schema, table) in put_back:
        conn.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table that waits for a check cannot be altered
        with nothing_acts(conn, (schema, table)):
            count = conn.execute(
                sql.SQL(
                    "DELETE FROM ONLY {child} n WHERE {ours} AND {put_back} AND pg_catalog.num_nulls({key}) = 0"
                    " AND NOT EXISTS (SELECT FROM {parent} p WHERE {same})"
                ).format(
                    child=sql.Identifier(schema, table),
                    ours=sql.SQL(
                        "pg_catalog.age(n.xmin) <= 0 AND pg_catalog.pg_xact_status("
                        "(pg_catalog.pg_current_xact_id()::text::bigint - pg_catalog.age(n.xmin))::text::xid8)"
                        " = 'in progress'"
                    ),
                    put_back=put_back[schema, table],
                    key=sql.SQL(", ").join(sql.SQL("n.{}").format(sql.Identifier(one)) for one in columns),
                    parent=sql.Identifier(of_schema, of_table),
                    same=sql.SQL(" AND ").join(
                        sql.SQL("n.{} = p.{}").format(sql.Identifier(one), sql.Identifier(other))
                        for one, other in zip(columns, of_columns, strict=True)
                    ),
                )
            ).rowcount
        if count:
            found.append(Conflict(f"{schema}.{table}", str(Why.NO_PARENT), count))
    conn.execute("SAVEPOINT ops_validate")
    try:
        conn.execute(
            sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(sql.Identifier(schema, table), sql.Identifier(name))
        )
    except errors.ForeignKeyViolation:
        conn.execute("ROLLBACK TO SAVEPOINT ops_validate")
        found.append(Conflict(named, _UNCHECKED, 0))
    conn.execute("RELEASE SAVEPOINT ops_validate")
    return found

"""Knows the blast radius by doing it: the scripts run on a copy, in a transaction that is undone, and what is missing
then is told. The check of the walk, and the way where the text does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import psycopg
from psycopg import sql

from services.database.connect import connect
from services.database.execution import run_sql
from services.database.rollback.dependency_walk import Address, without_parts
from services.database.rollback.losses import Loss, described
from services.database.script import Script, read_scripts
from services.errors import Refused

_ADDRESSES = """
SELECT DISTINCT d.classid::bigint, d.objid::bigint, 0 FROM pg_catalog.pg_depend d WHERE d.objid >= 16384
UNION SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid::bigint, a.attrelid::bigint, a.attnum::int
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f')
"""
_COUNTERS = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relfilenode::bigint,
       pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid), pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')
"""


class Copies(Protocol):
    """Where copies of a database come from, such as a shadow."""

    def clone(self) -> str: ...
    def url_of(self, name: str) -> str: ...


def executed_radius(copies: Copies, scripts: Sequence[Script]) -> list[Loss]:
    """What the scripts take, by running them on a fresh copy as the role that would, and undoing it all.

    Rows are those that the copy has. Objects of kinds that depend on nothing are not seen: those only the walk tells.
    Raises Refused where a statement fails there, as it would in earnest.
    """
    with connect(copies.url_of(copies.clone())) as conn:
        conn.execute("BEGIN")
        try:
            return _executed(conn, scripts)
        finally:
            conn.execute("ROLLBACK")


def _executed(conn: psycopg.Connection[Any], scripts: Sequence[Script]) -> list[Loss]:
    before = _addresses(conn)
    counters = {row[0]: row[1:] for row in conn.execute(_COUNTERS).fetchall()}
    conn.execute("SAVEPOINT executed")
    for statement in read_scripts(scripts).statements:
        try:
            run_sql(conn, statement.sql)
        except psycopg.Error as error:
            raise Refused(
                f"It fails on a copy: {error.diag.message_primary or 'the statement was refused'}.",
                "Nothing was changed.",
                "Mend the script.",
                f"{statement.file}:{statement.line}",
            ) from error
    conn.execute("RESET SESSION AUTHORIZATION; RESET ROLE")
    gone = without_parts(before - _addresses(conn))
    counted = [row for row in conn.execute(_COUNTERS).fetchall() if row[0] in counters]
    left = {row[0]: _count(conn, row[1], row[2]) for row in counted}
    # What fell has its name and its rows only where it stands again.
    conn.execute("ROLLBACK TO SAVEPOINT executed")
    losses = described(conn, dict.fromkeys(gone, ""))
    for oid, schema, table, file, deleted, updated in counted:
        *_, old_file, old_deleted, old_updated = counters[oid]
        told = {"deleted": deleted - old_deleted, "changed": updated - old_updated}
        if file != old_file:
            told["changed" if left[oid] else "emptied"] = _count(conn, schema, table)
        losses += [
            Loss("rows", f"{schema}.{table}", rows, None, effect, schema, table)
            for effect, rows in told.items()
            if rows
        ]
    return losses


def _count(conn: psycopg.Connection[Any], schema: str, table: str) -> int:
    query = sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {}").format(sql.Identifier(schema, table))
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0


def _addresses(conn: psycopg.Connection[Any]) -> set[Address]:
    return {(a, b, c) for a, b, c in conn.execute(_ADDRESSES).fetchall()}

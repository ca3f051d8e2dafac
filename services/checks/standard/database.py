"""Standard checks of the database itself: does it answer."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from services.app_definition import DeclaredTable
from services.checks.context import CheckContext
from services.checks.registry import CheckSpec
from services.errors import Unavailable
from services.verdict import Finding, Verdict

DATABASE = ("database",)
NEEDS_DATABASE = ("database_url",)


def first_table(context: CheckContext) -> DeclaredTable:
    """The table that stands for all of the app's rows: the first that app.yaml declares."""
    tables = context.app.tables
    if not tables:
        raise Unavailable(f"{context.app.title} declares no table.", "There are no rows to count.")
    return tables[0]


def count_rows(conn: psycopg.Connection[Any], table: str) -> int:
    """How many rows a table of schema public holds for this role."""
    found = conn.execute(sql.SQL("select count(*) from public.{}").format(sql.Identifier(table))).fetchone()
    return int(found[0]) if found else 0


def database_direct(context: CheckContext) -> Finding:
    """A statement runs on the database itself and counts the app's first table, where it declares one."""
    name = context.app.tables[0].name if context.app.tables else None
    with context.database() as conn:
        count = count_rows(conn, name) if name else None
        row = conn.execute("select current_setting('server_version_num')::int / 10000").fetchone()
    major = int(row[0]) if row else 0
    facts = {"table": name, "entries": count, "major": major}
    holds = f" and holds {count} rows in {name}" if name else ""
    return Finding(Verdict.PASS, f"Postgres {major} answers{holds}.", facts)


SPECS = (
    CheckSpec(
        "database-direct",
        "The database answers",
        "A statement runs on the database itself.",
        database_direct,
        ("before", "after"),
        DATABASE,
        NEEDS_DATABASE,
    ),
)

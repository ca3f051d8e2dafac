"""Knows how to ask a database whether it is healthy: queries of which each must return no row."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from services.database.connect import connect
from services.database.execution import Cancelled, Emit, Stopped, never, run_sql, silent
from services.database.script import load_scripts, transaction_control
from services.errors import NotUnderstood
from services.verdict import Verdict, worst

SAMPLE_ROWS = 50
"""How many offending rows are kept for the screen; all are counted."""

_AS_ROLES = re.compile(r"^--\s*as:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_CANNOT_TELL = {"57014", "55P03", "40P01", "42501", "42601", "25P02", "53300", "53200"}


@dataclass(frozen=True, slots=True)
class Query:
    """One verification query. `proves` says in words what an empty answer proves.

    A comment "-- as: anon, authenticated" has it asked once as each of these roles, and not as the one that connects.
    """

    id: str
    file: str
    sql: str
    proves: str

    @property
    def roles(self) -> tuple[str, ...]:
        named = _AS_ROLES.search(self.sql)
        return tuple(role for role in re.split(r"[\s,]+", named[1]) if role) if named else ()


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query told. `rows` counts all rows; `sample` holds the first of them as text, None for NULL.

    `message` says why the verdict is not `pass`. `took_ms` is milliseconds.
    """

    id: str
    verdict: Verdict
    rows: int
    columns: tuple[str, ...]
    sample: tuple[tuple[str | None, ...], ...]
    proves: str
    message: str
    took_ms: float

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "verdict": self.verdict.value,
            "rows": self.rows,
            "columns": list(self.columns),
            "sample": [list(row) for row in self.sample],
            "proves": self.proves,
            "message": self.message,
            "took_ms": round(self.took_ms, 1),
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """All results; the verdict is the worst of them, and unknown where there is no query at all."""

    queries: tuple[QueryResult, ...]

    @property
    def verdict(self) -> Verdict:
        return worst(result.verdict for result in self.queries)

    def to_json(self) -> dict[str, Any]:
        return {"verdict": self.verdict.value, "queries": [result.to_json() for result in self.queries]}


def load_queries(paths: Path | Iterable[Path]) -> list[Query]:
    """Verification queries from files or folders: one query a file, its comments saying what it proves.

    Raises NotUnderstood for a missing path or a query that begins or ends a transaction.
    """
    queries = [
        Query(Path(script.file).stem, script.file, script.sql, _proves(script.sql)) for script in load_scripts(paths)
    ]
    check_queries(queries)
    return queries


def check_queries(queries: Sequence[Query]) -> None:
    """Raises NotUnderstood for a query with its own BEGIN, COMMIT or ROLLBACK: what it writes must never last."""
    for query in queries:
        if transaction_control(query.sql) is not None:
            raise NotUnderstood(
                f"The verification query {query.id} begins or ends a transaction.",
                "It was not run: its effects could last.",
                "Take BEGIN, COMMIT and ROLLBACK out; every query is rolled back anyway.",
                place=query.file,
            )


def _proves(sql: str) -> str:
    comments = re.match(r"(?:\s*--[^\n]*\n?)+", sql)
    lines = comments.group().splitlines() if comments else []
    return " ".join(line.strip().removeprefix("--").strip() for line in lines if line.strip()).strip()


def verify(
    url: str,
    queries: Sequence[Query],
    *,
    timeout_s: float = 15,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Verification:
    """Run the queries on a fresh connection, each in a transaction of its own that is always rolled back.

    timeout_s: seconds per query, after which it is `unknown`. Raises as `connect` does; Stopped when cancelled.
    """
    check_queries(queries)
    results = []
    asked = _as_each(queries)
    with connect(url) as conn:
        for query, role in asked:
            conn.execute("BEGIN")
            try:
                conn.execute(f"SET LOCAL statement_timeout = {round(timeout_s * 1000)}; SET LOCAL lock_timeout = '2s'")
                result = _run(conn, query, cancelled, role)
            finally:
                if not conn.closed:
                    conn.execute("ROLLBACK")
            emit("query", result.to_json())
            results.append(result)
            if conn.closed:
                break
    return Verification(tuple(results + [_lost(query) for query, _ in asked[len(results) :]]))


def _as_each(queries: Sequence[Query]) -> list[tuple[Query, str | None]]:
    """Each query with the role that it is asked as; None for the one that connects."""
    asked: list[tuple[Query, str | None]] = []
    for query in queries:
        asked += [(replace(query, id=f"{query.id} as {role}"), role) for role in query.roles] or [(query, None)]
    return asked


def verify_inside(
    conn: psycopg.Connection[Any],
    queries: Sequence[Query],
    *,
    search_path: str,
    timeout_s: float = 15,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Verification:
    """Run the queries inside the open transaction, seeing what it did; each is undone by a savepoint.

    search_path: the one a fresh connection has, since a script may have set another.
    """
    results = []
    asked = _as_each(queries)
    for query, role in asked:
        conn.execute("SAVEPOINT verification")
        conn.execute(
            "SELECT pg_catalog.set_config('search_path', %s, true),"
            " pg_catalog.set_config('statement_timeout', %s, true)",
            (search_path, f"{round(timeout_s * 1000)}ms"),
        )
        result = _run(conn, query, cancelled, role)
        if conn.closed:
            results.append(result)
            break
        conn.execute("ROLLBACK TO SAVEPOINT verification; RELEASE SAVEPOINT verification")
        emit("query", result.to_json())
        results.append(result)
    return Verification(tuple(results + [_lost(query) for query, _ in asked[len(results) :]]))


def _run(conn: psycopg.Connection[Any], query: Query, cancelled: Cancelled, role: str | None) -> QueryResult:
    started = time.monotonic()

    def result(verdict: Verdict, message: str = "", rows: int = 0) -> QueryResult:
        took = (time.monotonic() - started) * 1000
        return QueryResult(query.id, verdict, rows, (), (), query.proves, message, took)

    try:
        if role is not None:
            if not _is_there(conn, role):
                return result(Verdict.PASS, f"there is no role {role} here: nobody can ask as it")
            conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        found = run_sql(conn, query.sql, cancelled=cancelled, sample=SAMPLE_ROWS)
    except Stopped:
        raise
    except psycopg.Error as error:
        return result(*_judged(error))
    took = (time.monotonic() - started) * 1000
    verdict = Verdict.FAIL if found.count else Verdict.PASS
    message = f"{found.count} rows that should not be" if found.count else ""
    return QueryResult(query.id, verdict, found.count, found.columns, found.sample, query.proves, message, took)


def _is_there(conn: psycopg.Connection[Any], role: str) -> bool:
    row = conn.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (role,)).fetchone()
    return row is not None


def _judged(error: psycopg.Error) -> tuple[Verdict, str]:
    message = error.diag.message_primary or "the connection was lost"
    if error.sqlstate is None or error.sqlstate[:2] in ("08", "57") or error.sqlstate in _CANNOT_TELL:
        return Verdict.UNKNOWN, f"It could not be told: {message}."
    return Verdict.FAIL, f"The query failed: {message}."


def _lost(query: Query) -> QueryResult:
    message = "It could not be told: the connection was lost."
    return QueryResult(query.id, Verdict.UNKNOWN, 0, (), (), query.proves, message, 0.0)

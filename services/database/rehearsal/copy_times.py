"""Knows how long a deploy takes to keep what its statements take: the copies before them, what became of them after.

Both are made while writers of the copied tables wait, so they belong to the stall that is foretold.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from services.database.connect import connect
from services.database.deployment.receipts import make_schema
from services.database.execution import Cancelled, run_sql
from services.database.rehearsal.measure import StatementEffects
from services.database.rehearsal.runs import Run
from services.database.script import Statement
from services.database.snapshots.foretold import rewrites_only
from services.database.snapshots.keep import Cover, Keeping
from services.database.snapshots.snapshot import NotProved
from services.errors import OpsError


class CannotKeep(Exception):
    """What the statements take could not be copied on the made rows; the text says why."""


@dataclass(frozen=True, slots=True)
class CopyTimes:
    """Milliseconds: copies made before the first statement, and what became of the copied rows after the last."""

    before_ms: float
    after_ms: float


def copied_tables(statement: Statement, done: StatementEffects) -> set[str]:
    """The tables of which a deploy will copy rows or columns on behalf of this statement, by what it did.

    A table that is dropped is moved aside, and not copied.
    """
    harmless = bool(rewrites_only(statement))
    return {
        one.relation
        for one in done.effects
        if one.kind == "r"
        and not one.dropped
        and (one.updated or one.deleted or one.dropped_columns or (one.rewritten and not harmless))
    }


def all_copied(statements: Sequence[Statement], first: Run) -> dict[str, list[int]]:
    """The tables that a deploy will copy, each with the places of the statements that are the reason."""
    found: dict[str, list[int]] = {}
    for index, ((_, done), statement) in enumerate(zip(first.measured, statements, strict=False)):
        for table in sorted(copied_tables(statement, done)):
            found.setdefault(table, []).append(index)
    return found


def measure_copies(
    url: str, statements: Sequence[Statement], apart: frozenset[int], tables: Sequence[str], cancelled: Cancelled
) -> CopyTimes:
    """Keep what the statements take as a deploy does, on a clone, and undo it all. Raises CannotKeep, Stopped."""
    together = [one for place, one in enumerate(statements) if place not in apart]
    with connect(url) as conn:
        try:
            conn.execute("BEGIN")
            times = _kept(conn, together, cancelled)
        except (psycopg.Error, OpsError, NotProved) as error:
            raise CannotKeep(f"what it takes could not be copied on made rows ({error})") from error
        finally:
            if not conn.closed:
                conn.execute("ROLLBACK")
        for table in tables:
            schema, _, bare = table.partition(".")
            conn.execute(sql.SQL("VACUUM {}").format(sql.Identifier(schema, bare)))
    return times


def _kept(
    conn: psycopg.Connection[tuple[object, ...]], statements: Sequence[Statement], cancelled: Cancelled
) -> CopyTimes:
    make_schema(conn)
    keeping = Keeping(conn, release_id="rehearsal", actor="rehearsal")
    keeping.look()
    began = time.monotonic()
    keeping.before(Cover(), statements)
    before = time.monotonic() - began
    for statement in statements:
        if not keeping.instead(statement):
            run_sql(conn, statement.sql, cancelled=cancelled)
    conn.execute("RESET SESSION AUTHORIZATION; RESET ROLE")
    began = time.monotonic()
    keeping.missing()
    keeping.after("")
    return CopyTimes(before * 1000, (time.monotonic() - began) * 1000)

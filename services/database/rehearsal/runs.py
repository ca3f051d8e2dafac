"""Knows how to run statements on a clone as a deploy would: one transaction, what cannot be in one apart, measured."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from services.database.connect import connect
from services.database.dangers.trail import Trail
from services.database.execution import Cancelled, Emit, Stopped, never, run_sql, silent
from services.database.failure_classes import Failure
from services.database.rehearsal.measure import Measurement, StatementEffects, at_rest, effects, measure
from services.database.rehearsal.result import RehearsedStatement
from services.database.rehearsal.shadow import Shadow
from services.database.script import Statement

STATEMENT_S = 300
_SETTING = "variable_set_stmt"
"""Changes nothing that is measured; and a look at the catalog before SET TRANSACTION would make it fail."""

_SETS_TRANSACTION = re.compile(r"\s*set\s+(?:session\s+characteristics\s+as\s+)?transaction\b", re.IGNORECASE)

Measured = tuple[Statement, StatementEffects]
OnFailure = Callable[[psycopg.Connection[Any], Statement, Failure], Failure]


@dataclass(slots=True)
class Run:
    """One run of all statements on a clone. `failures`: (index of the statement, or None for COMMIT; failure).

    looked_at: by index, relations that a failing statement had read before it failed; only where a run goes on.
    """

    failures: list[tuple[int | None, Failure]] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    statements: list[RehearsedStatement] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    looked_at: dict[int, frozenset[str]] = field(default_factory=dict)
    trail: Trail | None = None

    @property
    def failure(self) -> Failure | None:
        return self.failures[0][1] if self.failures else None


@dataclass(frozen=True, slots=True)
class Manner:
    """How to run. goes_on: past failing statements; measured: locks and rows; trailed: rights as well; on_failure: sees
    the transaction as the failing statement found it, and may add to the failure; after_each: called with (connection,
    index)."""

    goes_on: bool = False
    measured: bool = True
    trailed: bool = False
    on_failure: OnFailure | None = None
    after_each: Callable[[psycopg.Connection[Any], int], None] | None = None


def first_run(
    copy: Shadow, statements: Sequence[Statement], emit: Emit = silent, cancelled: Cancelled = never
) -> tuple[str, frozenset[int], Run]:
    """Run on a fresh clone; where the server wants a statement outside a transaction, begin again with it apart.

    Gives the clone's name, the indexes of the statements that ran apart, and the run.
    """
    apart: set[int] = set()
    refused: dict[int, Failure] = {}
    name = copy.clone()
    while True:
        done = run(copy.url_of(name), statements, apart, Manner(trailed=True), emit=emit, cancelled=cancelled)
        at = len(done.statements)
        if done.failure is None or not done.failure.wants_no_transaction or at >= len(statements):
            return name, frozenset(apart), done
        if at in apart:
            # Inside a function it can run neither way: then what the server says in a transaction is the truth.
            done.failures[0] = (at, refused[at])
            return name, frozenset(apart - {at}), done
        refused[at] = done.failure
        if apart:  # what ran apart stays in the clone
            name = copy.clone()
        apart |= {at} | _asked(copy.url_of(name), statements, at, refused)


def _asked(url: str, statements: Sequence[Statement], at: int, refused: dict[int, Failure]) -> set[int]:
    """Of the later statements of the same kind as the refused one, those that the server refuses for the same reason:
    asked at once, so that a script with many of them need not begin again for each."""
    found: set[int] = set()
    with connect(url, statement_timeout_s=STATEMENT_S) as conn:
        for index in range(at + 1, len(statements)):
            if statements[index].kind != statements[at].kind:
                continue
            conn.execute("BEGIN")
            try:
                conn.execute(statements[index].sql.encode())
            except psycopg.Error as error:
                failure = Failure.of(statements[index].file, statements[index].line, error)
                if failure.wants_no_transaction:
                    refused[index] = failure
                    found.add(index)
            conn.execute("ROLLBACK")
    return found


def run(
    url: str,
    statements: Sequence[Statement],
    apart: set[int] | frozenset[int],
    manner: Manner | None = None,
    *,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Run:
    """Run the statements in one transaction, those of `apart` outside it; raises Stopped when cancelled."""
    return _Running(statements, apart, manner or Manner(), emit, cancelled).on(url)


class _Running:
    """One run while it goes."""

    def __init__(
        self,
        statements: Sequence[Statement],
        apart: set[int] | frozenset[int],
        manner: Manner,
        emit: Emit,
        cancelled: Cancelled,
    ) -> None:
        self.statements, self.apart, self.manner = statements, apart, manner
        self.emit, self.cancelled = emit, cancelled
        self.done = Run()
        self.limits_itself = any("statement_timeout" in one.sql.lower() for one in statements)
        self.base: Measurement = {}
        self.before: Measurement = {}

    def on(self, url: str) -> Run:
        with connect(url) as conn:
            limit_statements(conn)
            conn.add_notice_handler(self._heard)
            # Before BEGIN, so that the script may still set the transaction.
            if self.manner.trailed:
                self.done.trail = Trail(conn)
            self._forget_counts(conn)
            self.base = self.before = self._look(conn)
            conn.execute("BEGIN")
            for index in range(len(self.statements)):
                if self.cancelled():
                    raise Stopped
                if not self._one(conn, index):
                    if not conn.closed and conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                        conn.execute("ROLLBACK")
                    return self.done
            self._commit(conn)
        return self.done

    def _heard(self, notice: psycopg.errors.Diagnostic) -> None:
        self.done.notices.append(notice.message_primary or "")
        self.emit("notice", {"message": notice.message_primary or "", "severity": notice.severity or "NOTICE"})

    def _forget_counts(self, conn: psycopg.Connection[Any]) -> None:
        """Outside a transaction: let the server put away what it counted so far, which it does once a second only."""
        if self.manner.measured:
            conn.execute("SELECT pg_catalog.pg_stat_force_next_flush()")

    def _look(self, conn: psycopg.Connection[Any]) -> Measurement:
        if not self.manner.measured:
            return {}
        with self._unlimited(conn):
            return measure(conn)

    @contextmanager
    def _unlimited(self, conn: psycopg.Connection[Any]) -> Iterator[None]:
        """A time limit that the script sets is for its own statements."""
        if not self.limits_itself or conn.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            yield
            return
        row = conn.execute("SELECT pg_catalog.current_setting('statement_timeout')").fetchone()
        conn.execute("SELECT pg_catalog.set_config('statement_timeout', '0', true)")
        yield
        limit = row[0] if row else "0"
        conn.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (limit,))

    def _one(self, conn: psycopg.Connection[Any], index: int) -> bool:
        """Run one statement; False where the run ends with it."""
        statement = self.statements[index]
        is_apart = index in self.apart
        guarded = (
            self.manner.goes_on
            and not is_apart
            and statement.control is None
            and not _SETS_TRANSACTION.match(statement.sql)  # which no savepoint may precede
        )
        if is_apart:
            if not self._commit(conn):
                return self.manner.goes_on and self._begin_again(conn)
            self._forget_counts(conn)
            self.before = at_rest(self.before)
        elif guarded:
            conn.execute("SAVEPOINT rehearsed_statement")
        started = time.monotonic()
        try:
            run_sql(conn, statement.sql, cancelled=self.cancelled)
        except psycopg.Error as error:
            return self._failed(conn, index, error, guarded)
        ms = (time.monotonic() - started) * 1000
        if is_apart:
            self._forget_counts(conn)
            conn.execute("BEGIN")
        elif guarded:
            conn.execute("RELEASE SAVEPOINT rehearsed_statement")
        return self._ran(conn, index, ms)

    def _ran(self, conn: psycopg.Connection[Any], index: int, ms: float) -> bool:
        statement = self.statements[index]
        after = self.before if statement.kind == _SETTING else self._look(conn)
        effect = effects(self.base, self.before, after)
        self.before = after
        self.done.measured.append((statement, effect))
        self.done.statements.append(told(statement, effect, ms))
        if self.done.trail is not None:
            with self._unlimited(conn):
                self.done.trail.after(statement, effect, ms, apart=index in self.apart)
        event = {"index": index + 1, "of": len(self.statements), **self.done.statements[-1].to_json()}
        self.emit("statement", event)
        if self.manner.after_each is not None:
            self.manner.after_each(conn, index)
        return statement.commit_line is None or self._own_commit(conn, statement)

    def _own_commit(self, conn: psycopg.Connection[Any], statement: Statement) -> bool:
        """Where the script's own COMMIT was left out: check what was put off until then, so that it has its line."""
        if conn.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            return True
        conn.execute("SAVEPOINT rehearsed_commit")
        try:
            conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error as error:
            self.done.failures.append((None, Failure.of(statement.file, statement.commit_line, error)))
            conn.execute("ROLLBACK TO SAVEPOINT rehearsed_commit")
            return self.manner.goes_on
        conn.execute("ROLLBACK TO SAVEPOINT rehearsed_commit; RELEASE SAVEPOINT rehearsed_commit")
        return True

    def _failed(self, conn: psycopg.Connection[Any], index: int, error: psycopg.Error, guarded: bool) -> bool:
        statement = self.statements[index]
        failure = Failure.of(statement.file, statement.line, error)
        goes_on = self.manner.goes_on and not conn.closed
        if goes_on and guarded:
            conn.execute("ROLLBACK TO SAVEPOINT rehearsed_statement; RELEASE SAVEPOINT rehearsed_statement")
        elif goes_on and not self._begin_again(conn):
            goes_on = False
        if goes_on:
            after = self._look(conn)  # scans are counted also where what they were for is undone
            seen = effects(self.base, self.before, after).effects
            self.done.looked_at[index] = frozenset(one.relation for one in seen if one.scans or one.rows_scanned)
            self.before = after
            if self.manner.on_failure is not None:
                failure = self.manner.on_failure(conn, statement, failure)
        self.done.failures.append((index, failure))
        return goes_on

    def _begin_again(self, conn: psycopg.Connection[Any]) -> bool:
        """After a failure that no savepoint caught: a new transaction, where none is open."""
        status = conn.info.transaction_status
        if status == psycopg.pq.TransactionStatus.INERROR:
            conn.execute("ROLLBACK")
        if conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            self._forget_counts(conn)
            conn.execute("BEGIN")
            self.before = at_rest(self.before)
        return True

    def _commit(self, conn: psycopg.Connection[Any]) -> bool:
        try:
            conn.execute("COMMIT")
        except psycopg.Error as error:
            self.done.failures.append((None, Failure.of(self.statements[-1].file, None, error)))
            return False
        return True


def limit_statements(conn: psycopg.Connection[Any]) -> None:
    """End a statement that never ends, where the role has no limit of its own."""
    conn.execute(
        "SELECT pg_catalog.set_config('statement_timeout', %s, false)"
        " WHERE pg_catalog.current_setting('statement_timeout') = '0'",
        (f"{STATEMENT_S}s",),
    )


def told(statement: Statement, effect: StatementEffects, ms: float) -> RehearsedStatement:
    """A statement with what it did, as a rehearsal tells it."""
    return RehearsedStatement(
        statement.file,
        statement.line,
        statement.sql,
        effect.lock,
        effect.rows_scanned,
        tuple(effect.rewrites),
        effect.rows_written,
        ms,
        effect.locks,
    )


def with_suggestions(failure: Failure, others: Run) -> Failure:
    """The failure with the suggestion that another run found for the same place."""
    for _, same in others.failures:
        if (same.file, same.line, same.sqlstate) == (failure.file, failure.line, failure.sqlstate):
            return replace(failure, suggestion=same.suggestion)
    return failure

"""Knows how to run statements on a live database politely: short waits for locks, retries, live progress, a stop."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from services.database.deployment.beside import LOOK_EVERY_S, Beside
from services.database.deployment.blockers import Blocker
from services.database.execution import Cancelled, Emit, Stopped, never, run_sql, silent
from services.database.failure_classes import Failure
from services.database.fingerprint import Fingerprint, difference
from services.database.script import ReadScripts, Script, Statement, read_scripts
from services.errors import NotUnderstood, Refused

_LONG_STATEMENT_S = 0.2
_LOCKS_STRONGLY = {
    *("alter_table_stmt", "index_stmt", "create_trig_stmt", "create_policy_stmt", "alter_policy_stmt", "rule_stmt"),
    *("drop_stmt", "rename_stmt", "truncate_stmt", "lock_stmt", "cluster_stmt", "reindex_stmt", "alter_owner_stmt"),
}
"""Kinds of statement after which writers of some table may have to wait until we COMMIT."""

_MAY_CHANGE_LIMITS = re.compile(r"_timeout|\bset_config\b|\breset\s+all\b|\bdiscard\b", re.IGNORECASE)
_Outcome = TypeVar("_Outcome")


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a change is. Waits for locks are short, so that nobody queues behind us; patience is in the retries.

    lock_timeout_ms for the first lock that writers wait behind, a third of it for those that follow, since what we hold
    by then keeps others waiting all the while; statement_timeout_s per statement, query_timeout_s per verification
    query; transaction_s the longest a transaction may last; attempts in all; pause_s the longest pause between two;
    old_session_s how long we wait for the session of a client that died before we take its place.
    """

    lock_timeout_ms: int = 100
    statement_timeout_s: float = 600
    query_timeout_s: float = 15
    transaction_s: float = 3600
    attempts: int = 30
    pause_s: float = 2.0
    old_session_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told about progress, who may stop it, how patient it is, and who looks on from a second connection."""

    emit: Emit = silent
    cancelled: Cancelled = never
    limits: Limits = field(default_factory=Limits)
    beside: Beside | None = None

    def phase(self, name: str) -> None:
        self.emit("phase", {"name": name})

    def stop_if_cancelled(self) -> None:
        if self.cancelled():
            raise Stopped


@dataclass(frozen=True, slots=True)
class Ran:
    """A statement that ran; `ms` is milliseconds."""

    file: str
    line: int
    sql: str
    ms: float

    def to_json(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "sql": self.sql, "ms": round(self.ms, 2)}


class StatementFailed(Exception):
    """The server refused a statement; `statement` None where it was COMMIT or our own bookkeeping.

    blockers: the sessions that were seen to keep it waiting.
    """

    def __init__(
        self,
        statement: Statement | None,
        error: psycopg.Error,
        retries: int = 0,
        blockers: Sequence[Blocker] = (),
    ) -> None:
        super().__init__(str(error.sqlstate))
        self.statement = statement
        self.error = error
        self.retries = retries
        self.blockers = tuple(blockers)

    def failure(self, fallback_file: str) -> Failure:
        if self.statement is None:
            return Failure.of(fallback_file, None, self.error)
        return Failure.of(self.statement.file, self.statement.line, self.error)


class ConnectionLost(Exception):
    """The connection died: what became of the transaction must be looked up."""


def check_scripts(scripts: Sequence[Script]) -> ReadScripts:
    """The statements of the scripts. Raises NotUnderstood where something in them cannot be sent to a server."""
    read = read_scripts(scripts)
    if read.unsupported:
        odd = read.unsupported[0]
        raise NotUnderstood(
            f"{odd.what[0].upper()}{odd.what[1:]}.",
            "Nothing was run.",
            "Leave it out, or write it as plain SQL that a server can run.",
            place=f"{odd.file}:{odd.line}",
        )
    if not read.statements:
        raise NotUnderstood("The scripts hold no statement.", "Nothing was run.", "Write the SQL to run.")
    return read


def refuse_drift(expected: Fingerprint | str | None, found: Fingerprint) -> None:
    """Raises Refused, with the difference where it is known, if the catalog is not the expected one."""
    digest = expected.digest if isinstance(expected, Fingerprint) else expected
    if digest is None or digest == found.digest:
        return
    detail = f" ({difference(expected, found).sentence()})" if isinstance(expected, Fingerprint) else ""
    raise Refused(
        f"The database's catalog is not the one that was rehearsed{detail}.",
        "Nothing was changed.",
        "Rehearse again on the database as it is now.",
    )


def begin(conn: psycopg.Connection[Any], limits: Limits) -> None:
    """Open the transaction with its limits. A client that freezes must not hold locks for ever: idling is limited."""
    whole = ""
    if conn.info.server_version >= 170000:
        # The last resort, which ends the session; before that `run_statements` lets no statement run longer.
        whole = f"SET LOCAL transaction_timeout = {round((limits.transaction_s + 30) * 1000)};"
    conn.execute(f"BEGIN; {whole}{_settings('SET LOCAL', limits)}")


def _settings(command: str, limits: Limits, *, statement_timeout_s: float | None = None, holding: bool = False) -> str:
    longest = limits.statement_timeout_s if statement_timeout_s is None else statement_timeout_s
    patience = max(1, limits.lock_timeout_ms // 3) if holding else limits.lock_timeout_ms
    return (
        f"{command} lock_timeout = {patience};"
        f"{command} statement_timeout = {max(1, round(longest * 1000))};"
        f"{command} idle_in_transaction_session_timeout = '30s'"
    )


def roll_back_if_open(conn: psycopg.Connection[Any]) -> None:
    """Undo the open transaction, if there is one and the connection still lives."""
    if not conn.closed and conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        conn.execute("ROLLBACK")


def run_statements(
    conn: psycopg.Connection[Any],
    statements: Sequence[Statement],
    watch: Watch,
    ran: list[Ran],
    notices: list[str],
    instead: Callable[[Statement], bool] | None = None,
    *,
    of: int | None = None,
) -> None:
    """Run the statements in the open transaction, filling `ran` and `notices` as it goes.

    A statement is told of when it ends; one that takes longer than 0.2 s also while it runs.
    instead: asked before each statement; True where it did what the statement asks for in another way.
    of: how many statements there are in all, where these go on after those in `ran`. Raises StatementFailed.
    """
    until = time.monotonic() + watch.limits.transaction_s
    holding = False
    with listening(conn, watch, notices):
        for statement in statements:
            _limit(conn, watch.limits, until, statement, holding=holding)
            place = {"index": len(ran) + 1, "of": of or len(statements)}
            ran.append(run_one(conn, statement, place, watch, instead))
            first = not holding and statement.kind in _LOCKS_STRONGLY
            holding = holding or first
            # A script's own SET lock_timeout = 0 would let writers queue behind us for ever.
            if first or _MAY_CHANGE_LIMITS.search(statement.sql):
                conn.execute(_settings("SET LOCAL", watch.limits, holding=holding))
    # A script may end as another role; what is ours is done as ourselves.
    conn.execute("RESET SESSION AUTHORIZATION; RESET ROLE")


@contextmanager
def listening(conn: psycopg.Connection[Any], watch: Watch, notices: list[str]) -> Iterator[None]:
    """Within: what the server raises is told while the statement runs, and kept in `notices`."""

    def heard(notice: errors.Diagnostic) -> None:
        message = notice.message_primary or ""
        notices.append(message)
        watch.emit("notice", {"message": message, "severity": notice.severity or "NOTICE"})

    conn.add_notice_handler(heard)
    try:
        yield
    finally:
        conn.remove_notice_handler(heard)


def _limit(conn: psycopg.Connection[Any], limits: Limits, until: float, statement: Statement, *, holding: bool) -> None:
    """Give the statement what is left of the transaction's time, where that is less than its own limit."""
    left = until - time.monotonic()
    if left < limits.statement_timeout_s:
        try:
            conn.execute(_settings("SET LOCAL", limits, statement_timeout_s=max(left, 0.001), holding=holding))
        except psycopg.Error as error:
            raise StatementFailed(statement, error) from error


def run_one(
    conn: psycopg.Connection[Any],
    statement: Statement,
    place: Mapping[str, Any],
    watch: Watch,
    instead: Callable[[Statement], bool] | None = None,
) -> Ran:
    """Run one statement, telling of it, of who blocks it and of its progress; see `run_statements`."""
    event = {**place, "file": statement.file, "line": statement.line, "sql": statement.sql, "lock": None}
    told = False

    def tick(seconds: float) -> None:
        nonlocal told
        if not told and seconds >= _LONG_STATEMENT_S:
            told = True
            watch.emit("statement", {**event, "state": "running", "ms": None})
        if watch.beside is not None:
            watch.beside.tick(event)

    watch.stop_if_cancelled()
    started = time.monotonic()
    try:
        if instead is None or not instead(statement):
            run_sql(conn, statement.sql, cancelled=watch.cancelled, tick=tick, every_s=LOOK_EVERY_S)
    except psycopg.Error as error:
        raise StatementFailed(statement, error, blockers=_blockers(watch, event)) from error
    ms = (time.monotonic() - started) * 1000
    watch.emit("statement", {**event, "state": "done", "ms": round(ms, 2)})
    return Ran(statement.file, statement.line, statement.sql, ms)


def run_quietly(conn: psycopg.Connection[Any], statement: Statement, watch: Watch) -> None:
    """Run what is ours on a statement's behalf: who blocks it is told, the statement itself is not.

    Raises StatementFailed, Stopped.
    """
    event = {"file": statement.file, "line": statement.line}

    def tick(_: float) -> None:
        if watch.beside is not None:
            watch.beside.tick(event)

    try:
        run_sql(conn, statement.sql, cancelled=watch.cancelled, tick=tick, every_s=LOOK_EVERY_S)
    except psycopg.Error as error:
        raise StatementFailed(statement, error, blockers=_blockers(watch, event)) from error


def _blockers(watch: Watch, event: Mapping[str, Any]) -> tuple[Blocker, ...]:
    if watch.beside is None:
        return ()
    watch.beside.last_look(event)
    return tuple(watch.beside.blockers.values())


def with_retries(
    conn: psycopg.Connection[Any], watch: Watch, seed: str, attempt: Callable[[int], _Outcome]
) -> _Outcome:
    """Call attempt(retries so far) until it is not stopped by a lock, with jittered pauses between.

    attempt opens and closes its own transaction. Raises StatementFailed, ConnectionLost, Stopped.
    """
    pauses = random.Random(seed)  # noqa: S311 - jitter, not a secret
    for number in range(1, watch.limits.attempts + 1):
        if watch.beside is not None:
            watch.beside.forget()
        try:
            return attempt(number - 1)
        except (StatementFailed, psycopg.Error) as failed:
            wrapped = failed if isinstance(failed, StatementFailed) else StatementFailed(None, failed)
            wrapped.retries = number - 1
            if conn.closed:
                raise ConnectionLost from failed
            roll_back_if_open(conn)
            locked = isinstance(wrapped.error, errors.LockNotAvailable | errors.DeadlockDetected)
            if not locked or number == watch.limits.attempts:
                if wrapped is failed:
                    raise
                raise wrapped from failed
            _pause(watch, pauses, number, wrapped.statement)
        except BaseException:
            roll_back_if_open(conn)
            raise
    raise AssertionError("the last attempt returns or raises")


def _pause(watch: Watch, pauses: random.Random, number: int, statement: Statement | None) -> None:
    longest = min(watch.limits.pause_s, 0.1 * 2**number)
    pause = pauses.uniform(longest / 2, longest)
    where = {"file": statement.file, "line": statement.line} if statement else {}
    watch.emit("retry", {"attempt": number, "of": watch.limits.attempts, "pause_s": round(pause, 2), **where})
    until = time.monotonic() + pause
    while (left := until - time.monotonic()) > 0:
        watch.stop_if_cancelled()
        time.sleep(min(left, 0.1))

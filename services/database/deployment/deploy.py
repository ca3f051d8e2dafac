"""Knows how to change a database wholly or not at all: one transaction, verified before COMMIT, receipt within."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from services.database.connect import (
    connect,
    inspect_connection,
    refuse_missing_rights,
    refuse_transaction_pooler,
)
from services.database.deployment.guarded import (
    ConnectionLost,
    Limits,
    Ran,
    StatementFailed,
    Watch,
    begin,
    check_scripts,
    refuse_drift,
    run_statements,
    with_retries,
)
from services.database.deployment.receipts import (
    Receipt,
    application_name,
    make_schema,
    outcome,
    receipt_of,
    require_lock,
    write_receipt,
)
from services.database.execution import Cancelled, Emit, never, silent
from services.database.failure_classes import Failure
from services.database.fingerprint import Fingerprint, catalog_fingerprint
from services.database.script import ReadScripts, Script
from services.database.verification import Query, Verification, check_queries, verify, verify_inside
from services.errors import OpsError, Unavailable
from services.verdict import Verdict, worst

__all__ = ["Deployment", "Limits", "Ran", "deploy", "outcome"]

_OUTCOME_S = 30


@dataclass(frozen=True, slots=True)
class Deployment:
    """What came of a deploy. `applied` tells whether the database was changed; `verdict` whether all is well.

    `verification` is what was seen after COMMIT, or the one inside the transaction that stopped it.
    `transaction_ms` is the time from BEGIN to COMMIT of the attempt that counted, in milliseconds.
    """

    verdict: Verdict
    applied: bool
    summary: str
    statements: tuple[Ran, ...] = ()
    notices: tuple[str, ...] = ()
    verification: Verification | None = None
    receipt_id: str | None = None
    failure: Failure | None = None
    retries: int = 0
    transaction_ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "applied": self.applied,
            "summary": self.summary,
            "statements": [statement.to_json() for statement in self.statements],
            "notices": list(self.notices),
            "verification": self.verification.to_json() if self.verification else None,
            "receipt_id": self.receipt_id,
            "failure": self.failure.to_json() if self.failure else None,
            "retries": self.retries,
            "transaction_ms": round(self.transaction_ms, 1),
        }


@dataclass(slots=True)
class _Attempt:
    """What the latest try of the transaction has done so far."""

    statements: list[Ran] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def result(self, verdict: Verdict, applied: bool, summary: str) -> Deployment:
        took = (time.monotonic() - self.started) * 1000
        return Deployment(verdict, applied, summary, tuple(self.statements), tuple(self.notices), transaction_ms=took)


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for."""

    url: str
    read: ReadScripts
    queries: Sequence[Query]
    release_id: str
    plan_hash: str
    actor: str
    job_id: str
    expected: Fingerprint | str | None
    watch: Watch


def deploy(
    url: str,
    scripts: Sequence[Script],
    queries: Sequence[Query] = (),
    *,
    release_id: str,
    plan_hash: str,
    actor: str,
    job_id: str | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
    expected_fingerprint: Fingerprint | str | None = None,
    limits: Limits | None = None,
) -> Deployment:
    """Run the scripts in one transaction; COMMIT only if every verification query returns no row.

    job_id: makes the deploy repeatable: a second call with the same id finds the receipt and changes nothing.
    expected_fingerprint: the catalog that was rehearsed; any other stops the deploy.
    Raises NotUnderstood (scripts), Refused (pooler, rights, drift, another deploy), Unavailable (no connection, or
    the outcome of COMMIT cannot be found out), Stopped (cancelled; nothing was applied).
    """
    read = check_scripts(scripts)
    check_queries(queries)
    job = job_id or str(uuid.uuid4())
    watch = Watch(emit, cancelled, limits or Limits())
    order = _Order(url, read, queries, release_id, plan_hash, actor, job, expected_fingerprint, watch)
    watch.phase("connect")
    with connect(url, application_name=application_name(job)) as conn:
        facts = inspect_connection(conn, url)
        refuse_transaction_pooler(facts)
        refuse_missing_rights(facts)
        require_lock(conn)
        if receipt := receipt_of(conn, "job_id", job):
            return Deployment(Verdict.PASS, True, "This job had been applied before.", receipt_id=receipt.id)
        done = _attempts(conn, order)
    return _verified_again(order, done) if done.applied else done


def _attempts(conn: psycopg.Connection[Any], order: _Order) -> Deployment:
    latest = _Attempt()

    def attempt(retries: int) -> Deployment:
        nonlocal latest
        latest = _Attempt()
        return replace(_transaction(conn, order, latest), retries=retries)

    try:
        return with_retries(conn, order.watch, order.job_id, attempt)
    except StatementFailed as failed:
        failure = failed.failure(order.read.statements[-1].file)
        stopped = latest.result(Verdict.FAIL, False, f"Not applied: {failure.message}")
        return replace(stopped, failure=failure, retries=failed.retries)
    except ConnectionLost:
        return _after_lost_connection(order, latest)


def _transaction(conn: psycopg.Connection[Any], order: _Order, tried: _Attempt) -> Deployment:
    watch = order.watch
    search_path = str((conn.execute("SELECT pg_catalog.current_setting('search_path')").fetchone() or ("",))[0])
    begin(conn, watch.limits)
    watch.phase("fingerprint")
    before = catalog_fingerprint(conn)
    refuse_drift(order.expected, before)
    make_schema(conn)
    watch.phase("statements")
    run_statements(conn, order.read.statements, watch, tried.statements, tried.notices)
    if order.queries:
        watch.phase("verification")
        seen = _verify_before_commit(conn, order, search_path)
        if seen.verdict is not Verdict.PASS:
            conn.execute("ROLLBACK")
            bad = ", ".join(result.id for result in seen.queries if result.verdict is not Verdict.PASS)
            summary = f"Not applied: verification before COMMIT did not pass ({bad})."
            return replace(tried.result(seen.verdict, False, summary), verification=seen)
    receipt_id = write_receipt(
        conn,
        job_id=order.job_id,
        release_id=order.release_id,
        plan_hash=order.plan_hash,
        actor=order.actor,
        statements=len(tried.statements),
        before=before,
        after=catalog_fingerprint(conn),
    )
    watch.stop_if_cancelled()
    watch.phase("commit")
    conn.execute("COMMIT")
    summary = f"{len(tried.statements)} statements were applied."
    return replace(tried.result(Verdict.PASS, True, summary), receipt_id=receipt_id)


def _verify_before_commit(conn: psycopg.Connection[Any], order: _Order, search_path: str) -> Verification:
    return verify_inside(
        conn,
        order.queries,
        search_path=search_path,
        timeout_s=order.watch.limits.query_timeout_s,
        emit=order.watch.emit,
        cancelled=order.watch.cancelled,
    )


def _after_lost_connection(order: _Order, tried: _Attempt) -> Deployment:
    """Our connection died: only the receipt tells whether COMMIT got through."""
    order.watch.phase("outcome")
    if _wait_for_outcome(order) == "not-applied":
        return tried.result(Verdict.FAIL, False, "Not applied: the connection was lost.")
    receipt = _receipt(order)
    done = tried.result(Verdict.PASS, True, "The connection was lost, but all was applied.")
    return replace(done, receipt_id=receipt.id if receipt else None)


def _receipt(order: _Order) -> Receipt | None:
    with connect(order.url, read_only=True) as conn:
        return receipt_of(conn, "job_id", order.job_id)


def _wait_for_outcome(order: _Order) -> str:
    until = time.monotonic() + _OUTCOME_S
    while time.monotonic() < until:
        try:
            found = outcome(order.url, order.job_id)
        except OpsError:
            found = "in-progress"  # the server does not answer yet: it may be restarting
        if found != "in-progress":
            return found
        time.sleep(0.2)
    raise Unavailable(
        "The connection was lost, and whether the deploy was applied cannot be told yet.",
        "It is applied wholly or not at all; the deploy receipt in the database tells which.",
        "Resume this job when the database answers again.",
    )


def _verified_again(order: _Order, done: Deployment) -> Deployment:
    """Verification from a fresh connection, as a newcomer sees the database. It cannot undo; it can tell."""
    if not order.queries:
        return done
    order.watch.phase("verification-after")
    limits = order.watch.limits
    try:
        seen = verify(order.url, order.queries, timeout_s=limits.query_timeout_s, emit=order.watch.emit)
    except Unavailable as error:
        summary = f"{done.summary} Verification after COMMIT is not known: {error.what}"
        return replace(done, verdict=Verdict.UNKNOWN, summary=summary)
    return replace(done, verdict=worst((done.verdict, seen.verdict)), verification=seen)

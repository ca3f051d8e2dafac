"""Knows how to change a database wholly or not at all: one transaction, verified before COMMIT, receipt within; and
where the server wants a statement outside any, in parts that can be resumed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from services.database.change_lock import require_lock
from services.database.connect import (
    connect,
    inspect_connection,
    refuse_missing_rights,
    refuse_read_only,
    refuse_transaction_pooler,
)
from services.database.deployment.aftermath import looked_at_again
from services.database.deployment.apart import left_behind, look_before, run_apart, tidy
from services.database.deployment.beside import beside
from services.database.deployment.guarded import (
    ConnectionLost,
    Limits,
    Ran,
    StatementFailed,
    Watch,
    check_scripts,
    listening,
    with_retries,
)
from services.database.deployment.meanwhile import refuse_meanwhile, with_own
from services.database.deployment.order import Course, Deployment, Order
from services.database.deployment.ordering import in_order
from services.database.deployment.parts import Part, is_refused_inside, known_apart, parts_of
from services.database.deployment.receipts import (
    Receipt,
    application_name,
    half_stays,
    outcome,
    receipt_of,
)
from services.database.deployment.sessions import loss_in_words, outcome_after_loss, take_the_lock
from services.database.deployment.stalls import refuse_stalls
from services.database.deployment.steps import FAILED, intend, steps_of
from services.database.deployment.steps import done as note_done
from services.database.deployment.together import replay_settings, run_together
from services.database.execution import Cancelled, Emit, Stopped, never, silent
from services.database.fingerprint import Fingerprint, catalog_fingerprint
from services.database.history.migrations import Listing, refuse_unwritable_list
from services.database.script import Script
from services.database.snapshots.keep import covered
from services.database.snapshots.snapshot import NotProved
from services.database.verification import Query, check_queries
from services.errors import Refused
from services.verdict import Verdict

__all__ = ["Deployment", "Limits", "Ran", "deploy", "outcome"]


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
    order: Sequence[int] | None = None,
    predicted: Sequence[Any] | None = None,
    accept_stall_ms: float | None = None,
    keep_days: int | None = 30,
    keep_inverse: bool = False,
    listings: Sequence[Listing] = (),
) -> Deployment:
    """Run the scripts in one transaction; COMMIT only if every verification query returns no row.

    Statements that the server refuses inside a transaction stand apart, between transactions; verification comes with
    the last of these. Interrupted, such a deploy goes on where it stopped when it is asked for again.
    job_id: makes the deploy repeatable: a second call with the same id finds the receipt, changes nothing, and looks
    again at what is there.
    expected_fingerprint: the catalog that was rehearsed; any other stops the deploy.
    order: places of the statements in the order that was rehearsed; None: the scripts' own.
    predicted, accept_stall_ms: the rehearsal's statements, and how many milliseconds writers may be kept waiting.
    keep_days: how long what is parked stays; None: nothing that the change takes away is kept.
    keep_inverse: derive the way back from the catalog and keep it in the receipt, for scripts that bring none.
    listings: how the change is listed in a target that keeps a list of its migrations, in the same transaction.
    Raises NotUnderstood (scripts), Refused (pooler, rights, drift, stall, another deploy), Unavailable (no connection,
    or the outcome of COMMIT cannot be found out), Stopped (cancelled; nothing was applied).
    """
    read = check_scripts(scripts)
    check_queries(queries)
    statements = in_order(read.statements, order)
    refuse_stalls(statements, predicted or (), accept_stall_ms)
    job = job_id or str(uuid.uuid4())
    watch = Watch(emit, cancelled, limits or Limits())
    watch.phase("connect")
    longest = watch.limits.statement_timeout_s  # The role's own may be short, and is not for what is ours.
    with (
        connect(url, application_name=application_name(job), statement_timeout_s=longest) as conn,
        loss_in_words(conn),
    ):
        facts = inspect_connection(conn, url)
        refuse_transaction_pooler(facts)
        refuse_missing_rights(facts)
        refuse_read_only(conn)
        if listings:
            refuse_unwritable_list(conn)
        process = take_the_lock(conn, job, watch)
        receipt = receipt_of(conn, "job_id", job)
        asked = Order(
            url,
            statements,
            queries,
            release_id,
            plan_hash,
            actor,
            job,
            expected_fingerprint,
            watch,
            keep_days,
            keep_inverse,
            process,
            listings,
        )
        if receipt is not None and receipt.state != "begun":
            done = _applied_before(receipt)
        else:
            with beside(url, conn, emit, application_name=f"{application_name(job)[:50]} looks on") as looking:
                asked = replace(asked, watch=replace(watch, beside=looking))
                done = _through(conn, asked, _course(conn, asked, receipt))
    return looked_at_again(asked, done) if done.applied else done


def _applied_before(receipt: Receipt) -> Deployment:
    """What a job finds that is asked for again after its COMMIT: nothing is left to run, but all to be looked at.

    Raises Refused where what it applied is not there any more as it left it.
    """
    if receipt.rolled_back_at is not None:
        raise Refused(
            f"This deploy was applied, and rolled back at {receipt.rolled_back_at:%Y-%m-%d %H:%M} UTC"
            f" by {receipt.rolled_back_by or 'somebody'}.",
            "Nothing was changed.",
            "Rehearse it and deploy it anew.",
        )
    if receipt.state == "superseded":
        raise Refused(
            f"This deploy stopped half-way, and another deploy of {receipt.release_id} came after it.",
            "Nothing was changed.",
            "Look at the newer one.",
        )
    return Deployment(
        Verdict.PASS,
        True,
        "This job had been applied before: only looked at again.",
        receipt_id=receipt.id,
        state="done",
        snapshot_id=receipt.kept_snapshot_id,
        parked=receipt.parked,
        inverse=receipt.inverse is not None,
        before=receipt.before,
        after=receipt.after,
    )


def _course(conn: psycopg.Connection[Any], order: Order, receipt: Receipt | None) -> Course:
    """Where to begin: at the first part, or where an interrupted deploy of the same plan stopped."""
    row = conn.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
    course = Course(search_path=str(row[0]) if row else "")
    found = receipt or receipt_of(conn, "release_id", order.release_id)
    if found is None or found.state != "begun" or found.rolled_back_at:
        return course
    if found.plan_hash != order.plan_hash:
        order.watch.emit("notice", half_stays(found))
        return course
    steps = steps_of(conn, found.id)
    in_already = [step for step in steps if step.done]
    after = in_already[-1].after if in_already else found.after
    now = catalog_fingerprint(conn)
    expected = order.expected.digest if isinstance(order.expected, Fingerprint) else order.expected
    if expected == now.digest and after is not None and after.digest != now.digest:
        order.watch.emit("notice", half_stays(found))
        return course  # Rehearsed again on what is there now: that plan begins at its beginning.
    course.receipt_id, course.before, course.after = found.id, found.before, after
    course.done, course.resumed = len(in_already), True
    if len(steps) > len(in_already):
        course.again, course.detail = True, dict(steps[-1].detail)
    order.watch.emit("resumed", {"receipt_id": found.id, "done": course.done})
    return course


def _through(conn: psycopg.Connection[Any], order: Order, course: Course) -> Deployment:
    """All parts from where the course stands; what stops it is told in the result."""
    apart = known_apart(order.statements)
    try:
        while True:
            parts = parts_of(order.statements, apart)
            course.of = len(parts)
            _require_same(conn, course, parts)
            try:
                ended = _part(conn, order, course, parts[course.done])
            except StatementFailed as failed:
                place = _refused_inside(order, failed)
                if place is None or place in apart:
                    raise
                apart.add(place)
                continue
            if ended is not None:
                return ended
    except StatementFailed as failed:
        return _failed(order, course, failed)
    except NotProved as error:
        raise Refused(f"The copy of {error} does not equal the table.", "Nothing was changed.", "Try again.") from error
    except ConnectionLost:
        return _after_lost_connection(order, course)
    except Stopped:
        if course.receipt_id is None:
            raise
        return course.told(Verdict.FAIL, "Stopped.")


def _part(conn: psycopg.Connection[Any], order: Order, course: Course, part: Part) -> Deployment | None:
    if part.apart:
        _run_apart(conn, order, course, part)
        return None

    def tries() -> Deployment | None:
        return covered(lambda cover: with_retries(conn, order.watch, order.job_id, lambda tried: attempt(tried, cover)))

    def attempt(tried: int, cover: Any) -> Deployment | None:
        course.retries = max(course.retries, tried)
        course.transaction_ms = 0.0 if course.receipt_id is None else course.transaction_ms
        return run_together(conn, order, course, part, cover)

    ended = tries()
    return replace(ended, retries=course.retries) if ended is not None else None


def _run_apart(conn: psycopg.Connection[Any], order: Order, course: Course, part: Part) -> None:
    """One statement outside any transaction: intent, statement, done; each is there before the next begins."""
    assert course.receipt_id is not None, "the first part is a transaction, which writes the receipt"
    statement, watch, receipt_id = part.statements[0], order.watch, course.receipt_id
    was_sent = course.again and not course.detail.get(FAILED)
    if course.again:
        tidy(conn, statement, course.detail, watch)
    found = catalog_fingerprint(conn)
    refuse_meanwhile(with_own(course.after, found, statement) if course.again else course.after, found)
    if not was_sent:
        # What an earlier try may have left behind is not what was there before.
        course.detail = {**look_before(conn, statement), **left_behind(course.detail)}
        intend(conn, receipt_id, part, course.detail)
    watch.phase("apart")
    place = {"index": len(course.ran) + 1, "of": len(order.statements)}

    def attempt(tried: int) -> Ran:
        course.retries = max(course.retries, tried)
        replay_settings(conn, order.statements, part)
        return run_apart(conn, statement, place, watch, course.detail, again=was_sent)

    course.again = True
    with listening(conn, watch, course.notices):
        try:
            course.ran.append(with_retries(conn, watch, order.job_id, attempt))
        except StatementFailed:
            if not conn.closed:
                # Its end is known: whoever resumes must not take what is there for its effect.
                intend(conn, receipt_id, part, {**course.detail, FAILED: True})
            raise
    require_lock(conn)  # DISCARD ALL gives it back.
    course.after = with_own(course.after, catalog_fingerprint(conn), statement)
    note_done(conn, receipt_id, part, course.after)
    course.done, course.resumed, course.again, course.detail = part.seq + 1, False, False, {}


def _require_same(conn: psycopg.Connection[Any], course: Course, parts: Sequence[Part]) -> None:
    """Raises Refused where the parts that are in are not the first ones of this plan."""
    if not course.resumed or course.receipt_id is None:
        return
    steps = [step for step in steps_of(conn, course.receipt_id) if step.done]
    if len(steps) < len(parts) and all(step.digest == parts[step.seq].digest for step in steps):
        return
    raise Refused(
        "The deploy that stopped half-way had its statements in other parts.",
        "Nothing more was changed; the parts that are in stay in.",
        "Rehearse on the database as it is now: a deploy bound to that begins anew.",
    )


def _refused_inside(order: Order, failed: StatementFailed) -> int | None:
    """The place of a statement that the server wants outside transactions, though its form alone did not say so."""
    if failed.statement is None:
        return None
    message = failed.error.diag.message_primary or ""
    place = next((n for n, one in enumerate(order.statements) if one is failed.statement), -1)
    return place if place >= 0 and is_refused_inside(failed.error.sqlstate, message) else None


def _failed(order: Order, course: Course, failed: StatementFailed) -> Deployment:
    failure = failed.failure(order.statements[-1].file)
    course.blockers = failed.blockers
    course.retries = failed.retries
    told = course.told(Verdict.FAIL, _why_not(failure.message, course))
    return replace(told, failure=failure)


def _why_not(message: str, course: Course) -> str:
    summary = f"Not applied: {message}"
    if course.blockers:
        summary += "; kept waiting by " + " and ".join(blocker.sentence() for blocker in course.blockers[:3])
    return f"{summary}." if not summary.endswith(".") else summary


def _after_lost_connection(order: Order, course: Course) -> Deployment:
    """Our connection died: only the receipt tells whether COMMIT got through."""
    found = outcome_after_loss(order.url, order.job_id, order.process, order.watch)
    receipt = _receipt(order)
    course.receipt_id = receipt.id if receipt else None
    if found == "applied":
        course.before, course.after = (receipt.before, receipt.after) if receipt else (None, None)
        course.done = course.of
        return course.told(Verdict.PASS, "The connection was lost, but all was applied.", applied=True)
    return course.told(Verdict.FAIL, "Not applied: the connection was lost.")


def _receipt(order: Order) -> Receipt | None:
    with connect(order.url, read_only=True) as conn:
        return receipt_of(conn, "job_id", order.job_id)

"""Knows one transaction of a deploy: drift refused, rows kept, statements, verification, receipt, then COMMIT."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import errors

from services.database.deployment.guarded import (
    StatementFailed,
    Watch,
    begin,
    refuse_drift,
    roll_back_if_open,
    run_statements,
)
from services.database.deployment.locks_first import lock_what_goes
from services.database.deployment.meanwhile import refuse_meanwhile, refuse_others_inside
from services.database.deployment.order import Course, Deployment, Order
from services.database.deployment.parts import Part
from services.database.deployment.receipts import (
    FAST,
    go_on_with_receipt,
    make_schema,
    note_kept,
    note_listed,
    write_receipt,
)
from services.database.deployment.steps import done as note_done
from services.database.execution import run_sql
from services.database.fingerprint import Fingerprint, catalog_fingerprint
from services.database.history.migrations import list_changes
from services.database.script import Statement
from services.database.snapshots.keep import Cover, Keeping, Kept, Uncovered
from services.database.snapshots.settling import lay_down, settle_or_tell, tie_to_receipt
from services.database.verification import Verification, verify_inside
from services.errors import Refused
from services.verdict import Verdict

_ROLE_FROM_REST = "authenticator"


def run_together(
    conn: psycopg.Connection[Any], order: Order, course: Course, part: Part, cover: Cover
) -> Deployment | None:
    """Run one part's statements in a transaction, and COMMIT it; None where the deploy goes on, else its end.

    Raises what `run_statements` raises, Uncovered (to be tried again with that cover), Refused, Stopped.
    """
    begun = time.monotonic()
    ran, notices = len(course.ran), len(course.notices)
    try:
        ended = _inside(conn, order, course, part, cover)
    except BaseException as error:
        del course.ran[ran:], course.notices[notices:]
        if isinstance(error, psycopg.Error) and not conn.closed:
            _refuse_ours(error)
        raise
    finally:
        course.transaction_ms += (time.monotonic() - begun) * 1000
    return replace(ended, transaction_ms=course.transaction_ms) if ended is not None else None


def _inside(conn: psycopg.Connection[Any], order: Order, course: Course, part: Part, cover: Cover) -> Deployment | None:
    watch, last = order.watch, part.seq == course.of - 1
    begin(conn, watch.limits)
    watch.phase("fingerprint")
    now = catalog_fingerprint(conn)
    if course.receipt_id is None:
        refuse_drift(order.expected, now)
    else:
        refuse_meanwhile(course.after, now)
    make_schema(conn)
    # All that is read of the whole catalog, and packed, is so before the first lock that somebody may wait for.
    facts_before = now.packed(level=FAST) if course.receipt_id is None else b""
    keeping = _keeping(conn, order, part)
    laid = keeping.look() if keeping else lay_down(conn, watch.emit) if _begins_way_back(order, course) else None
    if keeping is not None:
        watch.phase("snapshot")
        lock_what_goes(conn, part.statements, watch)
        keeping.before(cover, part.statements)
    watch.phase("statements")
    replay_settings(conn, order.statements, part)
    run_statements(
        conn,
        part.statements,
        watch,
        course.ran,
        course.notices,
        instead=keeping.instead if keeping else None,
        of=len(order.statements),
    )
    if keeping is not None and (missing := keeping.missing()):
        raise Uncovered(missing)
    if last and order.queries:
        watch.phase("verification")
        seen = _verify(conn, order, course)
        if seen.verdict is not Verdict.PASS:
            return _stopped_by(conn, course, seen)
    after = catalog_fingerprint(conn) if part.statements or course.receipt_id is None else now
    refuse_others_inside(conn, now, after)
    kept = keeping.after(after.digest) if keeping else Kept(None)
    receipt_id = _receipt(conn, order, course, part, now, after, facts_before=facts_before, last=last)
    if laid is not None and _begins_way_back(order, course):
        tie_to_receipt(conn, laid, receipt_id)
    note_kept(conn, receipt_id, snapshot_id=kept.snapshot_id, parked=kept.parked)
    tell_schema_cache(conn)
    watch.stop_if_cancelled()
    watch.phase("commit")
    _commit(conn, watch)
    course.before = course.before or now
    course.receipt_id, course.after, course.done, course.resumed = receipt_id, after, part.seq + 1, False
    settled = settle_or_tell(conn, watch.emit)
    course.inverse = receipt_id in settled.inverses
    course.snapshot_id = (None if kept.snapshot_id in settled.empty else kept.snapshot_id) or course.snapshot_id
    course.parked += kept.parked
    count = len(course.ran)
    told = "1 statement was applied." if count == 1 else f"{count} statements were applied."
    return course.told(Verdict.PASS, told, applied=True) if last else None


def _commit(conn: psycopg.Connection[Any], watch: Watch) -> None:
    """COMMIT, which may fail by what the statements did: a deferred constraint is looked at only here."""
    try:
        run_sql(conn, "COMMIT", cancelled=watch.cancelled)
    except psycopg.Error as error:
        raise StatementFailed(None, error) from error


def _refuse_ours(error: psycopg.Error) -> None:
    """An error of a statement comes as StatementFailed: this one is of what we do beside, and no script's failure.

    A lock that others hold is left to be tried again.
    """
    if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
        return
    function = (error.diag.context or "").partition("\n")[0]
    if function.startswith("PL/pgSQL function "):
        # We call none of theirs: it is a trigger on events, which our own tables set off as well.
        where = f", in {function}"
        do = (
            "Have that event trigger let schema ops alone, and name its tables with their schema:"
            " what is ours runs with an empty search_path."
        )
    else:
        where = ""
        do = "Deploy as a role that may read, lock and copy what the change takes, and writes to schema ops."
    raise Refused(
        f"What has to be done beside the change failed: {error.diag.message_primary or error}{where}.",
        "Nothing was changed; no statement of the script is at fault.",
        do,
    ) from error


def _begins_way_back(order: Order, course: Course) -> bool:
    """True in the first part of a deploy whose way back is to be derived: it leads to the catalog before that part."""
    return order.keep_inverse and course.receipt_id is None


def _keeping(conn: psycopg.Connection[Any], order: Order, part: Part) -> Keeping | None:
    if order.keep_days is None or not part.statements:
        return None
    return Keeping(
        conn,
        release_id=order.release_id,
        actor=order.actor,
        keep_days=order.keep_days,
        emit=order.watch.emit,
    )


def _stopped_by(conn: psycopg.Connection[Any], course: Course, seen: Verification) -> Deployment:
    roll_back_if_open(conn)
    bad = ", ".join(result.id for result in seen.queries if result.verdict is not Verdict.PASS)
    told = course.told(seen.verdict, f"Not applied: verification before COMMIT did not pass ({bad}).")
    return told.with_verification(seen)


def _receipt(
    conn: psycopg.Connection[Any],
    order: Order,
    course: Course,
    part: Part,
    before: Fingerprint,
    after: Fingerprint,
    *,
    facts_before: bytes,
    last: bool,
) -> str:
    if course.receipt_id is None:
        receipt_id = write_receipt(
            conn,
            job_id=order.job_id,
            release_id=order.release_id,
            plan_hash=order.plan_hash,
            actor=order.actor,
            statements=len(part.statements),
            before=before.digest,
            facts_before=facts_before,
            after=after,
            state="done" if last else "begun",
        )
    else:
        receipt_id = course.receipt_id
        go_on_with_receipt(
            conn,
            receipt_id,
            job_id=order.job_id,
            statements=len(part.statements),
            after=after,
            state="done" if last else "begun",
        )
    if last:
        note_listed(conn, receipt_id, list_changes(conn, order.listings))
    if course.of > 1:
        note_done(conn, receipt_id, part, after)
    return receipt_id


def _verify(conn: psycopg.Connection[Any], order: Order, course: Course) -> Verification:
    return verify_inside(
        conn,
        order.queries,
        search_path=course.search_path,
        timeout_s=order.watch.limits.query_timeout_s,
        emit=order.watch.emit,
        cancelled=order.watch.cancelled,
    )


def replay_settings(conn: psycopg.Connection[Any], statements: Sequence[Statement], part: Part) -> None:
    """Set again what the script itself had set in earlier parts: its role ends with each part, and all of it with the
    connection, where a deploy is resumed."""
    if not part.statements:
        return
    for statement in statements:
        if statement is part.statements[0]:
            return
        if statement.kind == "variable_set_stmt":
            run_sql(conn, statement.sql)


def tell_schema_cache(conn: psycopg.Connection[Any]) -> None:
    """Where PostgREST is at home, have it told at COMMIT that the schema and its settings are others now."""
    row = conn.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (_ROLE_FROM_REST,)).fetchone()
    if row is not None:
        conn.execute("NOTIFY pgrst, 'reload schema'; NOTIFY pgrst, 'reload config'")

"""Knows how to take a deploy back without losing a row: what will go is shown, kept, proved, and only then dropped."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg

from services.database.connect import (
    connect,
    inspect_connection,
    is_loopback,
    refuse_read_only,
    refuse_transaction_pooler,
)
from services.database.deployment.guarded import (
    ConnectionLost,
    Limits,
    StatementFailed,
    Watch,
    check_scripts,
    with_retries,
)
from services.database.deployment.receipts import (
    HIDDEN,
    Receipt,
    application_name,
    find_receipt,
    half_stays,
    halves_before,
    hidden_told,
    receipt_of,
)
from services.database.deployment.sessions import loss_in_words, outcome_after_loss, take_the_lock
from services.database.execution import Cancelled, Emit, Stopped, never, silent
from services.database.fingerprint import Fingerprint
from services.database.rehearsal.shadow import RowPolicy
from services.database.rollback.blast_radius import Loss, blast_radius
from services.database.rollback.derived import derived_scripts, not_restored_by
from services.database.rollback.drill import drill
from services.database.rollback.result import Proof, RollbackResult, result_of
from services.database.rollback.transaction import Order, note, roll_back_once
from services.database.rollback.tried import has_gaps, with_gaps_filled
from services.database.script import ReadScripts, Script, read_scripts
from services.database.snapshots.keep import covered
from services.database.snapshots.snapshot import NotProved
from services.errors import Refused, Unavailable

__all__ = ["KEEP_DAYS", "Limits", "Preview", "RollbackResult", "RolledBackAlready", "preview", "preview_of", "rollback"]

KEEP_DAYS = 30
NOT_COPIED = (
    "The rows may not be copied from this database, so the restore was not tried; the copy was proved in place."
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rollback would take and run. derived: its statements come from the catalog, not from the release.

    not_restored: what they do not bring back. tried: how it went to run on a copy what the text does not tell.
    """

    radius: tuple[Loss, ...]
    scripts: tuple[Script, ...]
    derived: bool
    not_restored: tuple[str, ...] = ()
    tried: str = ""

    @property
    def sql(self) -> str:
        """The statements, where they were derived; else empty: they stand in the release."""
        return "\n".join(script.sql for script in self.scripts) if self.derived else ""


def preview(url: str, release_id: str, scripts: Sequence[Script]) -> list[Loss]:
    """What a rollback would take with it now, changing nothing; see `preview_of`."""
    return list(preview_of(url, release_id, scripts).radius)


def preview_of(
    url: str,
    release_id: str,
    scripts: Sequence[Script],
    *,
    on_a_copy: bool = False,
    rows: RowPolicy | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Preview:
    """What a rollback would take and run, changing nothing. Without scripts: by those derived when it was deployed.

    on_a_copy: where the text of a statement does not tell, run the scripts on a copy; it takes some seconds. rows: how
    many of the rows may be copied for that, as of `shadow`.
    A role that may not see the receipts is shown what scripts take all the same; the rollback itself asks again.
    Raises Refused where it was rolled back already, or nothing is known of the way back.
    """
    receipt: Receipt | None = None
    try:
        receipt = find_receipt(url, release_id)
        _refuse_twice(receipt)
    except Unavailable as error:
        if error.reason != HIDDEN or not scripts:
            raise
    way = tuple(scripts) or derived_scripts(release_id, receipt)
    _read(way)
    not_restored = () if scripts or receipt is None else not_restored_by(url, receipt)
    radius, tried = blast_radius(url, way), ""
    if on_a_copy and has_gaps(radius):
        radius, tried = with_gaps_filled(url, way, radius, rows=rows, emit=emit, cancelled=cancelled)
    return Preview(tuple(radius), way, not scripts, not_restored, tried)


def rollback(
    url: str,
    release_id: str,
    scripts: Sequence[Script],
    *,
    actor: str,
    job_id: str | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
    expected_fingerprint: Fingerprint | str | None = None,
    limits: Limits | None = None,
    keep_days: int = KEEP_DAYS,
    may_copy: bool | None = None,
) -> RollbackResult:
    """Run the rollback scripts in one transaction that first keeps, and proves, every row they destroy.

    A table that holds rows is parked instead of dropped. What the catalog does not foretell (DO blocks, functions,
    cascades) is measured after the statements ran: if it is not kept, all is undone and tried again with it.
    Without scripts the way back derived at the deploy is taken, and in the same transaction all that the deploy took is
    put back: what was written since is kept, and where both changed a row it is listed as a conflict.
    job_id: a second call with the same id returns the first one's result and changes nothing.
    keep_days: how long what is kept stays. may_copy: whether the rows may be copied to a scratch server, where the
    restore is tried after COMMIT; None: on this machine's own databases only.
    Raises Refused (already rolled back, a statement failed, a copy that is not equal), NotUnderstood, Unavailable,
    Stopped; after each of these nothing is changed, but for Unavailable after a lost COMMIT, which says so.
    """
    if scripts:
        check_scripts(scripts)
    job = job_id or str(uuid.uuid4())
    watch = Watch(emit, cancelled, limits or Limits())
    watch.phase("connect")
    with connect(url, application_name=application_name(job)) as conn, loss_in_words(conn):
        refuse_transaction_pooler(inspect_connection(conn, url))
        refuse_read_only(conn)
        process = take_the_lock(conn, job, watch)
        with hidden_told(conn):
            done, receipt = (receipt_of(conn, *by) for by in (("rollback_job_id", job), ("release_id", release_id)))
        if done is not None:
            result: RollbackResult | None = result_of(done)
        else:
            _refuse_twice(receipt)
            for half in halves_before(conn, receipt) if receipt is not None else ():
                emit("notice", half_stays(half))
            order = _order(release_id, scripts, receipt, actor, job, keep_days, expected_fingerprint, watch)
            result = _committed(conn, url, order, is_loopback(url) if may_copy is None else may_copy)
    return result if result is not None else _after_lost_connection(url, job, process, watch)


def _order(
    release_id: str,
    scripts: Sequence[Script],
    receipt: Receipt | None,
    actor: str,
    job_id: str,
    keep_days: int,
    expected: Fingerprint | str | None,
    watch: Watch,
) -> Order:
    way = tuple(scripts) or derived_scripts(release_id, receipt)
    inverse = None if scripts or receipt is None else receipt.inverse
    return Order(_read(way), way, release_id, receipt, actor, job_id, keep_days, expected, watch, inverse)


def _read(way: Sequence[Script]) -> ReadScripts:
    """The statements of the way back; none where only rows are to be put back. Raises as `check_scripts`."""
    return check_scripts(way) if way else read_scripts(())


def _committed(conn: psycopg.Connection[Any], url: str, order: Order, may_copy: bool) -> RollbackResult | None:
    """Change the database and try the restore; None where the connection was lost, and it must be looked up."""
    try:
        result = _changed(conn, order)
    except ConnectionLost:
        return None
    return _proved(conn, url, order, result, may_copy)


def _changed(conn: psycopg.Connection[Any], order: Order) -> RollbackResult:
    """Try until all that the statements take is kept. Raises Refused for what stops it, ConnectionLost."""
    try:
        return covered(
            lambda cover: with_retries(
                conn, order.watch, order.job_id, lambda _retries: roll_back_once(conn, order, cover)
            )
        )
    except StatementFailed as failed:
        failure = failed.failure(order.scripts[-1].file if order.scripts else order.release_id)
        place = failure.file if failure.line is None else f"{failure.file}:{failure.line}"
        raise Refused(
            f"The rollback failed: {failure.message}.", "Nothing was changed.", failure.failure_class.fix, place
        ) from failed
    except NotProved as error:
        raise Refused(f"The copy of {error} does not equal the table.", "Nothing was changed.", "Try again.") from error


def _proved(
    conn: psycopg.Connection[Any], url: str, order: Order, result: RollbackResult, may_copy: bool
) -> RollbackResult:
    """Try the restore on a copy, now that all is done, and add to the receipt what came of it."""
    if result.snapshot_id is None:
        return result
    proof = Proof(None, NOT_COPIED)
    if may_copy:
        try:
            proof = drill(url, result.snapshot_id, emit=order.watch.emit, cancelled=order.watch.cancelled)
        except Stopped:
            proof = Proof(None, "The drill was stopped; the rollback itself is done.")
    result = replace(result, proof=proof)
    try:
        note(conn, order, result)
    except psycopg.Error:
        order.watch.emit("notice", {"message": "The drill's result is not in the receipt.", "severity": "WARNING"})
    return result


class RolledBackAlready(Refused):
    """There is nothing to roll back: it was done, at this time (aware), by the actor of this id."""

    def __init__(self, at: datetime, by: str | None) -> None:
        super().__init__(
            f"The release was rolled back already, at {at:%Y-%m-%d %H:%M} UTC by {by or 'somebody'}.",
            "Nothing was changed.",
            "Deploy it again first, or look at the snapshot of that rollback.",
        )
        self.at = at
        self.by = by


def _refuse_twice(receipt: Receipt | None) -> None:
    if receipt is not None and receipt.rolled_back_at is not None:
        raise RolledBackAlready(receipt.rolled_back_at, receipt.rolled_back_by)


def _after_lost_connection(url: str, job_id: str, process: int, watch: Watch) -> RollbackResult:
    """Our connection died: only the receipt tells whether COMMIT got through."""
    outcome_after_loss(url, job_id, process, watch, "rollback_job_id")
    with connect(url, read_only=True, statement_timeout_s=10) as conn:
        receipt = receipt_of(conn, "rollback_job_id", job_id)
    if receipt is None:
        raise Unavailable(
            "The connection was lost during the rollback, and it is not recorded as done.",
            "It is applied wholly or not at all.",
            "Resume this job: it finds out, and goes on only if nothing was done.",
        )
    return result_of(receipt)

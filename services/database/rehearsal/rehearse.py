"""Knows what a deploy would do to a target, by really doing it on a shadow, measured, and then once more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.database.connect import connect
from services.database.dangers.by_effect import dangers_of
from services.database.execution import Cancelled, Emit, never, silent
from services.database.failure_classes import Failure
from services.database.fingerprint import catalog_fingerprint
from services.database.rehearsal.aftermath import aftermath_of, better_order, way_back
from services.database.rehearsal.calibration import predict as predict_times
from services.database.rehearsal.catalog_copy import NoShadow
from services.database.rehearsal.further_failures import further_failures, with_suggestion
from services.database.rehearsal.guarded_form import guarded_forms
from services.database.rehearsal.hidden_reading import hidden_on, lacking_extension
from services.database.rehearsal.masking import literals
from services.database.rehearsal.meant_breaks import meant_breaks
from services.database.rehearsal.reach import makes_a_way_out
from services.database.rehearsal.result import (
    Rehearsal,
    RehearsedStatement,
    ShadowMade,
    plan_hash,
)
from services.database.rehearsal.rows_needed import from_catalog, rows_needed
from services.database.rehearsal.runs import Manner, Run, first_run, run, with_suggestions
from services.database.rehearsal.second_run import prove_guarded, second_run
from services.database.rehearsal.shadow import RowPolicy, Shadow, shadow
from services.database.rehearsal.too_early import with_added_value
from services.database.script import Script, Statement, read_scripts
from services.database.verification import Query
from services.errors import NotUnderstood
from services.verdict import Verdict

__all__ = ["Rehearsal", "RehearsedStatement", "rehearse", "rehearse_on"]

_NO_ROOM = ("531", "532")
"""No space for files, or in memory: the scratch server's own."""
_NO_CONNECTION = "08"
"""A connection to another server failed."""


def rehearse(
    url: str,
    scripts: Sequence[Script],
    *,
    rows: RowPolicy | None = None,
    rollback: Sequence[Script] = (),
    verify: Sequence[Query] = (),
    predict: bool = False,
    stand_in: bool = False,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Rehearsal:
    """Run the scripts on a shadow of the target, as `psql -1 -v ON_ERROR_STOP=1` would, then all of it once more.

    rows: "all", "sample" or "none" of the target's rows; None decides by size and place (see `rows_allowed`).
    rollback: scripts to try after the first run, on a clone of their own.
    verify: the release's verification queries, whose time belongs to what is predicted.
    predict: also measure how long it would take on the target's real size; costs some seconds.
    stand_in: see `shadow`.
    Raises NotUnderstood for scripts without a statement, and as `connect` does; Stopped when cancelled.
    """
    started = time.monotonic()
    read = read_scripts(scripts)
    if read.unsupported:
        reasons = tuple(f"{odd.file}:{odd.line}: {odd.what}" for odd in read.unsupported)
        return _unknown(reasons, started)
    if not read.statements:
        raise NotUnderstood("The scripts hold no statement.", "Nothing was run.", "Write the SQL to run.")
    try:
        keep = literals(script.sql for script in scripts)
        with shadow(
            url, rows=rows, keep=keep, stand_in=stand_in, on_disk=predict, emit=emit, cancelled=cancelled
        ) as copy:
            found = rehearse_on(
                copy,
                read.statements,
                rollback=rollback,
                verify=verify,
                predict_time=predict,
                meant=meant_breaks(script.sql for script in scripts),
                started=started,
                emit=emit,
                cancelled=cancelled,
            )
            return replace(found, left_out=read.left_out, plan_hash=plan_hash(scripts, found.before, found.order))
    except NoShadow as error:
        return _unknown((str(error),), started)


def _unknown(reasons: tuple[str, ...], started: float) -> Rehearsal:
    return Rehearsal(None, None, reasons, (), (), (), (), (time.monotonic() - started) * 1000)


def rehearse_on(
    copy: Shadow,
    statements: Sequence[Statement],
    *,
    rollback: Sequence[Script] = (),
    verify: Sequence[Query] = (),
    predict_time: bool = False,
    meant: frozenset[str] = frozenset(),
    started: float | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Rehearsal:
    """The same on a shadow that is there already; it can be used for many rehearsals.

    meant: what the scripts say they break. started: monotonic seconds.
    """
    started = time.monotonic() if started is None else started
    if not copy.server.cut_off and (doubt := makes_a_way_out(statements)):
        return _unknown((doubt,), started)
    emit("phase", {"name": "first-run"})
    name, apart, first = first_run(copy, statements, emit, cancelled)
    order = _Order(copy, statements, apart, bool(rollback), meant, cancelled)
    if first.failure is not None:
        found = _failed(order, name, first)
    else:
        found = _passed(order, name, first, emit)
        if rollback:
            found = _try_rollback(order, rollback, found)
        if predict_time:
            emit("phase", {"name": "prediction"})
            found = _predicted(order, first, verify, found)
    return replace(found, took_ms=(time.monotonic() - started) * 1000)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be rehearsed: the statements, which of them run apart, on which shadow, with scripts to go back or
    without, and what they mean to break."""

    copy: Shadow
    statements: Sequence[Statement]
    apart: frozenset[int]
    has_rollback: bool
    meant: frozenset[str]
    cancelled: Cancelled

    def found(self, first: Run, **more: Any) -> Rehearsal:
        """The rehearsal as far as the first run tells it."""
        base = Rehearsal(
            first.failure,
            None,
            tuple(self.copy.unlike + list(self.copy.rows.problems)),
            tuple(first.statements),
            dangers_of(first.trail) if first.trail is not None and first.failure is not None else (),
            (),
            tuple(first.notices),
            0.0,
            self.copy.target_fingerprint,
            apart=tuple((self.statements[at].file, self.statements[at].line) for at in sorted(self.apart)),
            shadow=ShadowMade(self.copy.copied_by, self.copy.runs_as, self.copy.runs_as != self.copy.facts.user),
        )
        return replace(base, **more)


def _failed(order: _Order, name: str, first: Run) -> Rehearsal:
    """After a first run that failed: what else would fail, and what would help."""
    copy, statements = order.copy, order.statements
    # A transaction that failed left the clone as it was, unless something ran apart.
    again = copy.clone() if order.apart else name
    manner = Manner(goes_on=True, on_failure=with_suggestion)
    going_on = run(copy.url_of(again), statements, order.apart, manner, cancelled=order.cancelled)
    failure = first.failure
    at = first.failures[0][0]
    if failure is None:
        raise AssertionError("only a failed run comes here")
    if at is None:  # COMMIT failed: the clone is as it was before
        with connect(copy.url_of(name)) as conn:
            failure = with_suggestion(conn, statements[-1], failure)
    else:
        failure = with_added_value(with_suggestions(failure, going_on), statements, at)
    if failure.failure_class.id == "exists-already" and at is not None:
        failure = replace(failure, suggestion=_guarded(order, at, failure))
    further = further_failures(statements, going_on, at)
    needed = rows_needed(copy, statements, first, going_on, order.cancelled)
    hidden = hidden_on(copy, name, statements)
    before = [reason for index, reason in hidden.items() if at is None or index <= at]
    unknown = (*copy.unlike, *copy.rows.problems, *needed.unknown, *before)
    if needed.refused is not None and (at is None or needed.refused[0] < at):
        return order.found(first, failure=needed.refused[1], unknown_because=unknown, probes=needed.probes)
    lacking = lacking_extension(copy, statements[at], failure) if at is not None and copy.url else None
    if lacking is not None:
        return order.found(first, failure=None, unknown_because=(*unknown, lacking), probes=needed.probes)
    if doubt := _doubt_of_copy(copy, failure):
        return order.found(first, failure=None, unknown_because=(*unknown, *doubt), probes=needed.probes)
    # What is no SQL, or what the role may not do at all, fails whatever the server or its files hold.
    refused = failure.failure_class.id == "permission" and not failure.said.inside
    by_chance = at in hidden and failure.failure_class.id != "syntax" and not refused
    if at in needed.doubtful or by_chance or (before and not from_catalog(failure)):
        # The shadow lacks rows that the statement looked at: on the target it may as well succeed.
        return order.found(first, failure=None, unknown_because=unknown, probes=needed.probes)
    return order.found(first, failure=failure, further_failures=further, unknown_because=unknown, probes=needed.probes)


def _doubt_of_copy(copy: Shadow, failure: Failure) -> tuple[str, ...]:
    """Sentences on why the failure may be the copy's own, which has other objects or runs as another role."""
    told = f"on the shadow {failure.file}:{failure.line} fails with {failure.sqlstate}: {failure.message}"
    if copy.server.cut_off and (failure.sqlstate or "").startswith(_NO_CONNECTION):
        return (f"{told}; a rehearsal is kept from reaching other machines, so what is there is not known",)
    if (failure.sqlstate or "").startswith(_NO_ROOM):
        return (f"{told}; the target may have more room",)
    if copy.runs_as != copy.facts.user and failure.sqlstate == "42501":
        return (f"{told}; it ran as {copy.runs_as}, and the role that deploys may have other rights",)
    return (told,) if copy.unlike and copy.copied_by == "definitions" else ()


def _guarded(order: _Order, at: int, failure: Failure) -> str | None:
    """A form of the statement that does no harm where the object is there already, proved by running it twice."""
    forms = {at: guarded_forms(order.statements[at].sql, failure.sqlstate)}
    return prove_guarded(order.copy, order.statements, order.apart, forms, None, order.cancelled).get(at)


def _passed(order: _Order, name: str, first: Run, emit: Emit) -> Rehearsal:
    """After a first run that succeeded: what it leaves behind, and the second run."""
    copy, statements, apart, cancelled = order.copy, order.statements, order.apart, order.cancelled
    left = aftermath_of(copy, name, statements, first, emit, cancelled, meant=order.meant)
    needed = rows_needed(copy, statements, first, None, cancelled)
    hidden = hidden_on(copy, name, statements)
    emit("phase", {"name": "second-run"})
    second = second_run(copy, name, statements, apart, left.after, cancelled)
    found = order.found(
        first,
        failure=needed.refused[1] if needed.refused else None,
        second_run=None if needed.refused else second.failure,
        not_idempotent=second.not_idempotent,
        unknown_because=(*copy.unlike, *copy.rows.problems, *needed.unknown, *hidden.values()),
        dangers=left.dangers,
        security=left.security,
        inspection=left.inspection,
        advice=left.advice,
        like_this_before=left.like_this_before,
        probes=needed.probes,
        after=left.after,
    )
    if found.verdict is Verdict.FAIL:  # nobody will deploy it
        return found
    back = None if order.has_rollback else way_back(copy, left.spare, statements, apart, cancelled)
    return replace(found, order=better_order(copy, statements, apart, left.after, cancelled), inverse=back)


def _predicted(order: _Order, first: Run, verify: Sequence[Query], found: Rehearsal) -> Rehearsal:
    """With the times that the statements will take on the target's real size."""
    told = predict_times(order.copy, order.statements, order.apart, first, order.cancelled, verify=verify)
    statements = tuple(replace(one, predicted=told.statements.get(index)) for index, one in enumerate(found.statements))
    not_predicted = "" if told.whole else f"The time could not be predicted: {told.why}."
    return replace(found, statements=statements, predicted=told.whole, not_predicted=not_predicted)


def _try_rollback(order: _Order, rollback: Sequence[Script], found: Rehearsal) -> Rehearsal:
    """Deploy on a fresh clone, roll back, and compare the catalog with the untouched shadow's."""
    copy, cancelled = order.copy, order.cancelled
    name = copy.clone()
    url = copy.url_of(name)
    unmeasured = Manner(measured=False)
    run(url, order.statements, order.apart, unmeasured, cancelled=cancelled)
    undone = run(url, read_scripts(rollback).statements, frozenset(), unmeasured, cancelled=cancelled)
    if undone.failure:
        return replace(found, rollback_failure=undone.failure)
    with connect(copy.as_superuser(name)) as changed:
        same = catalog_fingerprint(changed).digest == copy.fingerprint.digest
    return replace(found, rollback_restores=same)

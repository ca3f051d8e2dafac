"""What is written down of runs: starting one, decisions, pins, evidence; and reading a run back as a view."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from services.access.permissions import Actor, Permission
from services.errors import NotUnderstood, Refused
from services.jobs.queue import recent_jobs
from services.releases.bundle import Release, release_from_files
from services.releases.gate import blockers
from services.releases.run import Run, RunEvent, RunView, StepEvidence, derive
from services.store import audit
from services.store.database import Store
from services.store.tables import evidence as evidence_table
from services.store.tables import release_contents, run_events, runs
from services.verdict import Evidence

LONGEST_WAIVER = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a decision: `mine` is False where somebody else decided first, and `event` is theirs."""

    event: RunEvent
    mine: bool


def start_run(
    store: Store, *, actor: Actor, release: Release, target: str, now: datetime, idempotency_key: str | None = None
) -> str:
    """Start a run pinned to the release's content, which is stored by its hash; returns the run's id."""
    actor.require(Permission.SIGN_OFF, target)
    run_id = f"run-{secrets.token_hex(5)}"
    key = idempotency_key or run_id
    try:
        with store.write() as tx:
            known = tx.execute(select(runs.c.id).where(runs.c.idempotency_key == key)).scalar()
            if known is not None:
                return str(known)
            _keep_content(tx, release, now)
            tx.execute(
                insert(runs).values(
                    id=run_id,
                    release_id=release.id,
                    content_hash=release.content_hash,
                    target=target,
                    started_by=actor.name,
                    started=now,
                    idempotency_key=key,
                )
            )
            detail = {"release": release.id, "content_hash": release.content_hash}
            audit.record(tx, actor=actor.id, action="start run", target=target, subject=run_id, now=now, detail=detail)
    except IntegrityError:
        with store.read() as tx:
            return str(tx.execute(select(runs.c.id).where(runs.c.idempotency_key == key)).scalar_one())
    return run_id


def _keep_content(tx: Connection, release: Release, now: datetime) -> None:
    known = tx.execute(
        select(release_contents.c.content_hash).where(release_contents.c.content_hash == release.content_hash)
    ).scalar()
    if known is None:
        files = {name: base64.b64encode(data).decode() for name, data in release.files.items()}
        tx.execute(
            insert(release_contents).values(
                content_hash=release.content_hash, release_id=release.id, files=files, stored=now
            )
        )


def get_run(store: Store, run_id: str) -> Run:
    """One run. Raises NotUnderstood for an id that is not known."""
    with store.read() as tx:
        row = tx.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise NotUnderstood(f"There is no run '{run_id}'.", "", "/history lists the runs.", place="run")
    return Run(row.id, row.release_id, row.content_hash, row.target, row.started_by, row.started)


def list_runs(store: Store, target: str, limit: int = 50) -> list[Run]:
    """The newest runs of a target first."""
    query = select(runs).where(runs.c.target == target).order_by(runs.c.started.desc(), runs.c.id.desc()).limit(limit)
    with store.read() as tx:
        return [
            Run(row.id, row.release_id, row.content_hash, row.target, row.started_by, row.started)
            for row in tx.execute(query)
        ]


def latest_run(store: Store, target: str) -> Run | None:
    return next(iter(list_runs(store, target, limit=1)), None)


def pinned_release(store: Store, content_hash: str) -> Release:
    """The release exactly as it was when a run was started on it, whatever became of its folder since."""
    with store.read() as tx:
        files = tx.execute(
            select(release_contents.c.files).where(release_contents.c.content_hash == content_hash)
        ).scalar_one()
    return release_from_files({name: base64.b64decode(data) for name, data in files.items()})


def run_view(store: Store, run_id: str, now: datetime, release: Release | None = None) -> RunView:
    """A run as of `now`. release: the pinned release, where the caller has it at hand already."""
    run = get_run(store, run_id)
    pinned = (
        release if release and release.content_hash == run.content_hash else pinned_release(store, run.content_hash)
    )
    with store.read() as tx:
        happened = [
            _event(row)
            for row in tx.execute(select(run_events).where(run_events.c.run_id == run_id).order_by(run_events.c.seq))
        ]
        taken = [
            StepEvidence(row.step_id, Evidence.from_json(row.body))
            for row in tx.execute(
                select(evidence_table.c.step_id, evidence_table.c.body)
                .where(evidence_table.c.run_id == run_id, evidence_table.c.step_id.is_not(None))
                .order_by(evidence_table.c.seq)
            )
        ]
    jobs = recent_jobs(store, run.target, run_id=run_id, limit=1000)
    return derive(run, pinned, happened, taken, jobs, now)


def _event(row: Any) -> RunEvent:
    return RunEvent(row.seq, row.step_id, row.kind, row.decision, row.actor, row.at, row.payload)


def sign_off(store: Store, *, actor: Actor, run_id: str, step_id: str, note: str, seen: int, now: datetime) -> Decided:
    """Sign a step off. seen: how many decisions the signer's screen showed; two who saw the same make one.

    Raises Refused without the permission, for a step that its checks decide, or while its phase is closed.
    """
    view = _open_view(store, actor, Permission.SIGN_OFF, run_id, step_id, now)
    step = view.step(step_id)
    if not step.step.signoff:
        raise Refused(
            f"'{step.step.title}' is decided by what its checks see, not by a signature.",
            "Nothing was signed.",
            "Run its checks; if it cannot pass now, waive it with a reason.",
        )
    return _decide(store, actor, view, step_id, "signed", {"note": note.strip()}, seen, now)


def waive(
    store: Store,
    *,
    actor: Actor,
    run_id: str,
    step_id: str,
    reason: str,
    owner: str,
    until: datetime,
    seen: int,
    now: datetime,
) -> Decided:
    """Waive a step until a time: it stays 'waived' and never becomes 'passed'. Needs a reason and an owner."""
    view = _open_view(store, actor, Permission.WAIVE, run_id, step_id, now)
    if not reason.strip() or not owner.strip():
        raise Refused(
            "A waiver needs a reason and an owner.", "Nothing was waived.", "Say why, and who will look after it."
        )
    if not now < until <= now + LONGEST_WAIVER:
        raise Refused(
            f"A waiver ends within {LONGEST_WAIVER.days} days from now.", "Nothing was waived.", "Choose such an end."
        )
    payload = {"reason": reason.strip(), "owner": owner.strip(), "until": until.isoformat()}
    return _decide(store, actor, view, step_id, "waived", payload, seen, now)


def withdraw(store: Store, *, actor: Actor, run_id: str, step_id: str, seen: int, now: datetime) -> Decided:
    """Take back the last sign-off or waiver of a step; it stays in the record."""
    view = _open_view(store, actor, Permission.SIGN_OFF, run_id, step_id, now)
    if view.step(step_id).decision is None:
        raise Refused("There is no sign-off or waiver on this step.", "Nothing was withdrawn.", "")
    return _decide(store, actor, view, step_id, "withdrawn", {}, seen, now)


def _open_view(store: Store, actor: Actor, permission: Permission, run_id: str, step_id: str, now: datetime) -> RunView:
    view = run_view(store, run_id, now)
    actor.require(permission, view.run.target)
    require_step(view, step_id)
    require_open(view, step_id)
    return view


def require_step(view: RunView, step_id: str) -> None:
    """Raise NotUnderstood where the release has no such step."""
    if all(step.id != step_id for step in view.steps):
        known = ", ".join(step.id for step in view.steps)
        raise NotUnderstood(
            f"{view.release.id} has no step '{step_id}'.", "Nothing was done.", f"Its steps: {known}.", place="step"
        )


def require_open(view: RunView, step_id: str) -> None:
    """Raise Refused, naming the first blockers, while the gate before the step's phase is closed."""
    phase = view.phase_of(step_id)
    blocking = blockers(view, phase.id)
    if blocking:
        named = "; ".join(f"{blocker.step_id} {blocker.title} ({blocker.state.value})" for blocker in blocking[:3])
        more = f" and {len(blocking) - 3} more" if len(blocking) > 3 else ""
        raise Refused(
            f"The phase '{phase.phase.title}' is closed.",
            f"Before it opens: {named}{more}.",
            "Settle these steps, or waive them with a reason.",
        )


def _decide(
    store: Store,
    actor: Actor,
    view: RunView,
    step_id: str,
    kind: str,
    payload: Mapping[str, Any],
    seen: int,
    now: datetime,
) -> Decided:
    number = seen + 1
    try:
        with store.write() as tx:
            _enter_phase(tx, view, view.phase_of(step_id).id, actor, now)
            add_event(tx, view.run.id, step_id, kind, actor.name, now, payload, decision=number)
            audit.record(
                tx,
                actor=actor.id,
                action=f"{kind} step",
                target=view.run.target,
                subject=f"{view.run.id}/{step_id}",
                now=now,
                detail=payload,
            )
        mine = True
    except IntegrityError:
        mine = False
    with store.read() as tx:
        row = tx.execute(
            select(run_events).where(
                run_events.c.run_id == view.run.id,
                run_events.c.step_id == step_id,
                run_events.c.decision == number,
            )
        ).one()
    return Decided(_event(row), mine)


def enter_phase(store: Store, *, actor: Actor, view: RunView, phase_id: str, now: datetime) -> None:
    """Write down that work on a phase has begun; asking again changes nothing."""
    with store.write() as tx:
        _enter_phase(tx, view, phase_id, actor, now)


def _enter_phase(tx: Connection, view: RunView, phase_id: str, actor: Actor, now: datetime) -> None:
    key = f"{view.run.id}/entered/{phase_id}"
    known = tx.execute(select(run_events.c.seq).where(run_events.c.idempotency_key == key)).scalar()
    if known is not None:
        return
    # Two people may cross at once: the second finds the phase entered, and goes on.
    with suppress(IntegrityError), tx.begin_nested():
        add_event(tx, view.run.id, None, "phase-entered", actor.name, now, {"phase": phase_id}, key=key)


def pin(store: Store, *, run_id: str, actor: Actor, serving: Mapping[str, Any], now: datetime, job_id: str) -> None:
    """Keep which build served at GO: the build that a back-out returns to.

    The first pin of a deploy counts: a deploy that is resumed must not pin what serves by then.
    """
    with suppress(IntegrityError), store.write() as tx:
        add_event(tx, run_id, None, "pinned", actor.name, now, serving, key=f"{run_id}/pinned/{job_id}")


def add_event(
    tx: Connection,
    run_id: str,
    step_id: str | None,
    kind: str,
    actor: str,
    now: datetime,
    payload: Mapping[str, Any],
    *,
    decision: int | None = None,
    key: str | None = None,
) -> None:
    """Append an event to a run, in the caller's transaction."""
    tx.execute(
        insert(run_events).values(
            run_id=run_id,
            step_id=step_id,
            kind=kind,
            decision=decision,
            actor=actor,
            at=now,
            payload=dict(payload),
            idempotency_key=key,
        )
    )


def record_evidence(
    store: Store, taken: Iterable[Evidence], *, run_id: str | None = None, step_id: str | None = None
) -> None:
    """Keep evidence; with a run and step it counts for that step, else for the target's watch alone."""
    with store.write() as tx:
        for item in taken:
            tx.execute(
                insert(evidence_table).values(
                    run_id=run_id,
                    step_id=step_id,
                    target=item.target,
                    check_id=item.check_id,
                    verdict=item.verdict.value,
                    body=item.to_json(),
                    started=item.started,
                )
            )


def newest_evidence(store: Store, target: str, check_ids: Iterable[str]) -> dict[str, Evidence]:
    """The newest evidence of each check on a target, whoever asked for it."""
    found: dict[str, Evidence] = {}
    with store.read() as tx:
        for check_id in check_ids:
            body = tx.execute(
                select(evidence_table.c.body)
                .where(evidence_table.c.target == target, evidence_table.c.check_id == check_id)
                .order_by(evidence_table.c.seq.desc())
                .limit(1)
            ).scalar()
            if body is not None:
                found[check_id] = Evidence.from_json(body)
    return found


def evidence_history(store: Store, target: str, check_id: str, limit: int = 200) -> list[Evidence]:
    """The newest `limit` looks of a check on a target, oldest first."""
    with store.read() as tx:
        bodies = tx.execute(
            select(evidence_table.c.body)
            .where(evidence_table.c.target == target, evidence_table.c.check_id == check_id)
            .order_by(evidence_table.c.seq.desc())
            .limit(limit)
        ).scalars()
        return [Evidence.from_json(body) for body in reversed(list(bodies))]

"""The queue of jobs: asking for one, watching it, cancelling it, resuming it; every row change is conditional."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.access.permissions import Actor
from services.errors import NotUnderstood, Refused
from services.jobs.arming import armed, is_armed_for_use, require_armed
from services.jobs.kinds import JobKind, job_kind
from services.settings import Target
from services.store import audit
from services.store.database import Store
from services.store.tables import job_events, jobs


class JobState(StrEnum):
    """`passed`, `failed`, `unknown` are outcomes; `interrupted` died with its worker and can be resumed."""

    QUEUED = "queued"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


ACTIVE = (JobState.QUEUED, JobState.RUNNING)
RESUMABLE = (JobState.INTERRUPTED, JobState.FAILED, JobState.UNKNOWN, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Job:
    """for_worker: the one worker that may carry it out, since it alone holds what the job needs; None: any."""

    id: str
    kind: str
    target: str
    run_id: str | None
    step_id: str | None
    payload: Mapping[str, Any]
    actor: Actor
    created: datetime
    state: JobState
    attempt: int
    worker: str | None
    lease_until: datetime | None
    started: datetime | None
    finished: datetime | None
    cancel_requested: bool
    result: Mapping[str, Any] | None
    for_worker: str | None = None

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def in_effect(self) -> bool:
        """Whether what it was to change is changed, whatever else it came to: it is not to be applied again."""
        return not self.active and (self.result or {}).get("applied") is True

    @property
    def title(self) -> str:
        return job_kind(self.kind).title


@dataclass(frozen=True, slots=True)
class JobEvent:
    seq: int
    at: datetime
    kind: str
    payload: Mapping[str, Any]


def enqueue(
    store: Store,
    *,
    actor: Actor,
    kind: str,
    target: Target,
    payload: Mapping[str, Any],
    idempotency_key: str,
    now: datetime,
    run_id: str | None = None,
    step_id: str | None = None,
) -> Job:
    """Queue a job, or return the one this key has queued already: a double click, a retry, two people are one action.

    Raises Refused where the actor lacks the permission, the target the level, where the target would have to be armed
    and is not, or where another job that changes the target is active there.
    """
    spec = job_kind(kind)
    actor.require(spec.permission, target.name)
    target.require(spec.level)
    with store.read() as tx:
        known = _by_key(tx, idempotency_key)
    if known is not None:
        return known
    for_worker = _only_worker(store, spec, target, run_id, now)
    job_id = f"job-{secrets.token_hex(6)}"
    try:
        with store.write() as tx:
            known = _by_key(tx, idempotency_key)
            if known is not None:
                return known
            tx.execute(
                insert(jobs).values(
                    id=job_id,
                    kind=kind,
                    target=target.name,
                    run_id=run_id,
                    step_id=step_id,
                    payload=dict(payload),
                    actor=actor.to_json(),
                    idempotency_key=idempotency_key,
                    created=now,
                    state=JobState.QUEUED,
                    attempt=0,
                    slot=target.name if spec.exclusive else None,
                    for_worker=for_worker,
                    cancel_requested=False,
                )
            )
            audit.record(
                tx, actor=actor.id, action=f"queue {kind}", target=target.name, subject=job_id, now=now, detail=payload
            )
    except IntegrityError:
        with store.read() as tx:
            known = _by_key(tx, idempotency_key)
            if known is not None:
                return known
        raise _busy(store, target.name, spec) from None
    return job(store, job_id)


def _only_worker(store: Store, spec: JobKind, target: Target, run_id: str | None, now: datetime) -> str | None:
    if spec.as_owner and target.deploy_url is None:
        holder = armed(store, target.name, now)
        return holder.worker if holder is not None and holder.serves(run_id) else None
    if not is_armed_for_use(spec.level, target):
        return None
    return require_armed(store, target, run_id, now).worker


def _by_key(tx: Connection, idempotency_key: str) -> Job | None:
    row = tx.execute(select(jobs).where(jobs.c.idempotency_key == idempotency_key)).one_or_none()
    return None if row is None else from_row(row)


def _busy(store: Store, target: str, wanted: JobKind) -> Refused:
    holder = active_job(store, target)
    doing = f"'{holder.title}' ({holder.id}, asked for by {holder.actor.name})" if holder else "another change"
    return Refused(
        f"{target} is being changed already: {doing} is not finished.",
        f"'{wanted.title}' was not queued: one change at a time.",
        "Wait for it to end, or cancel it, then try again.",
    )


def job(store: Store, job_id: str) -> Job:
    """One job. Raises NotUnderstood for an id that is not known."""
    with store.read() as tx:
        row = tx.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise NotUnderstood(f"There is no job '{job_id}'.", "", "/history lists the jobs.", place="job")
    return from_row(row)


def active_job(store: Store, target: str) -> Job | None:
    """The job that is changing the target now (queued or running), if there is one."""
    with store.read() as tx:
        row = tx.execute(select(jobs).where(jobs.c.slot == target)).one_or_none()
    return None if row is None else from_row(row)


def recent_jobs(
    store: Store,
    target: str,
    *,
    run_id: str | None = None,
    kind: str | None = None,
    step_id: str | None = None,
    limit: int = 50,
) -> list[Job]:
    """The newest jobs of a target first, narrowed by run, kind or step."""
    query = select(jobs).where(jobs.c.target == target).order_by(jobs.c.created.desc(), jobs.c.id.desc()).limit(limit)
    for column, value in ((jobs.c.run_id, run_id), (jobs.c.kind, kind), (jobs.c.step_id, step_id)):
        if value is not None:
            query = query.where(column == value)
    with store.read() as tx:
        return [from_row(row) for row in tx.execute(query)]


def events(store: Store, job_id: str, after: int = 0, limit: int = 1000) -> list[JobEvent]:
    """What a job has told so far, in order, after event number `after`."""
    query = (
        select(job_events)
        .where(job_events.c.job_id == job_id, job_events.c.seq > after)
        .order_by(job_events.c.seq)
        .limit(limit)
    )
    with store.read() as tx:
        return [JobEvent(row.seq, row.at, row.kind, row.payload) for row in tx.execute(query)]


def newest_event(store: Store, job_id: str) -> JobEvent | None:
    """What a job told last; None where it has told nothing."""
    query = select(job_events).where(job_events.c.job_id == job_id).order_by(job_events.c.seq.desc()).limit(1)
    with store.read() as tx:
        row = tx.execute(query).one_or_none()
    return None if row is None else JobEvent(row.seq, row.at, row.kind, row.payload)


def append_event(tx: Connection, job_id: str, kind: str, payload: Mapping[str, Any], now: datetime) -> None:
    """Add an event to a job's story, in the caller's transaction."""
    last = tx.execute(select(func.max(job_events.c.seq)).where(job_events.c.job_id == job_id)).scalar() or 0
    tx.execute(insert(job_events).values(job_id=job_id, seq=last + 1, at=now, kind=kind, payload=dict(payload)))


def cancel(store: Store, *, actor: Actor, job_id: str, now: datetime) -> Job:
    """Ask a job to stop: a queued one is cancelled at once, a running one at its next safe point."""
    wanted = job(store, job_id)
    actor.require(job_kind(wanted.kind).permission, wanted.target)
    with store.write() as tx:
        stopped = tx.execute(
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.state == JobState.QUEUED)
            .values(state=JobState.CANCELLED, slot=None, finished=now)
        ).rowcount
        asked = tx.execute(
            update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING).values(cancel_requested=True)
        ).rowcount
        if stopped or asked:
            append_event(tx, job_id, "cancel-requested", {"by": actor.name}, now)
            audit.record(tx, actor=actor.id, action="cancel", target=wanted.target, subject=job_id, now=now)
    return job(store, job_id)


def resume(store: Store, *, actor: Actor, job_id: str, target: Target, now: datetime) -> Job:
    """Queue an interrupted, failed or cancelled job again as the same job; its story goes on.

    Pressing twice is one action: a job that is active already is returned as it is.
    """
    wanted = job(store, job_id)
    spec = job_kind(wanted.kind)
    actor.require(spec.permission, wanted.target)
    target.require(spec.level)
    if wanted.active:
        return wanted
    if wanted.state not in RESUMABLE:
        raise Refused(f"{wanted.title} ({job_id}) has {wanted.state.value}.", "There is nothing to resume.", "")
    for_worker = _only_worker(store, spec, target, wanted.run_id, now)
    try:
        with store.write() as tx:
            again = tx.execute(
                update(jobs)
                .where(jobs.c.id == job_id, jobs.c.state == wanted.state, jobs.c.attempt == wanted.attempt)
                .values(
                    state=JobState.QUEUED,
                    slot=wanted.target if spec.exclusive else None,
                    for_worker=for_worker,
                    finished=None,
                    cancel_requested=False,
                    result=None,
                    actor=actor.to_json(),
                )
            ).rowcount
            if again:
                append_event(tx, job_id, "resumed", {"by": actor.name}, now)
                audit.record(tx, actor=actor.id, action="resume", target=wanted.target, subject=job_id, now=now)
    except IntegrityError:
        raise _busy(store, wanted.target, spec) from None
    return job(store, job_id)


def from_row(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        target=row.target,
        run_id=row.run_id,
        step_id=row.step_id,
        payload=row.payload,
        actor=Actor.from_json(row.actor),
        created=row.created,
        state=JobState(row.state),
        attempt=row.attempt,
        worker=row.worker,
        lease_until=row.lease_until,
        started=row.started,
        finished=row.finished,
        cancel_requested=row.cancel_requested,
        result=row.result,
        for_worker=row.for_worker,
    )

"""Jobs that wait for an armed address which is gone: interrupted with a sentence, or done without it; never left."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from services.jobs.arming import armed, last_end
from services.jobs.kinds import job_kind
from services.jobs.queue import Job, JobState, append_event, from_row
from services.store import audit
from services.store.database import Store
from services.store.tables import jobs


def release_waiting(store: Store, now: datetime) -> bool:
    """Interrupt every queued job whose worker no longer holds the address it needs; returns whether there was one.

    What only sees more with it is left to any worker, which does it without.
    """
    query = select(jobs).where(jobs.c.state == JobState.QUEUED, jobs.c.for_worker.is_not(None))
    with store.read() as tx:
        waiting = [from_row(row) for row in tx.execute(query)]
    released = False
    for one in waiting:
        holder = armed(store, one.target, now)
        if holder is None or holder.worker != one.for_worker:
            if job_kind(one.kind).as_owner:
                released = _left_to_any(store, one) or released
                continue
            because = last_end(store, one.target) or "it is held anew, elsewhere"
            gone = f"The owner's address of {one.target} is gone: {because}."
            released = interrupt(store, one, gone, now) or released
    return released


def _left_to_any(store: Store, waiting: Job) -> bool:
    with store.write() as tx:
        left: int = tx.execute(
            update(jobs)
            .where(jobs.c.id == waiting.id, jobs.c.state == JobState.QUEUED, jobs.c.for_worker == waiting.for_worker)
            .values(for_worker=None)
        ).rowcount
    return left == 1


def interrupt(store: Store, waiting: Job, because: str, now: datetime) -> bool:
    """End a queued job as interrupted; False where it is not queued any more."""
    summary = f"{because} Nothing was done. Arm {waiting.target} again, then resume it."
    with store.write() as tx:
        ended = tx.execute(
            update(jobs)
            .where(jobs.c.id == waiting.id, jobs.c.state == JobState.QUEUED, jobs.c.attempt == waiting.attempt)
            .where(jobs.c.for_worker == waiting.for_worker)
            .values(
                state=JobState.INTERRUPTED,
                slot=None,
                finished=now,
                result={"summary": summary, "interrupted": True, "applied": False},
            )
        ).rowcount
        if ended:
            told = {"state": JobState.INTERRUPTED.value, "summary": summary}
            append_event(tx, waiting.id, "ended", told, now)
            audit.record(
                tx,
                actor=waiting.actor.id,
                action=f"{waiting.kind} {JobState.INTERRUPTED.value}",
                target=waiting.target,
                subject=waiting.id,
                now=now,
                detail={"summary": summary},
            )
    return bool(ended)

"""How a running job ends or changes hands: each by one change of its row, conditional on what was seen of it."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import update

from services.jobs.context import Outcome
from services.jobs.liveness import LEASE
from services.jobs.queue import Job, JobState, append_event
from services.store import audit
from services.store.database import Store
from services.store.tables import jobs

SETTLING = "settling:"
"""Before the name of a worker that looks into a job which another one left."""


def finish(store: Store, job: Job, outcome: Outcome, now: datetime) -> bool:
    """Write down how this attempt ended; False where it has been decided already."""
    with store.write() as tx:
        ended = tx.execute(
            update(jobs)
            .where(jobs.c.id == job.id, jobs.c.state == JobState.RUNNING, jobs.c.attempt == job.attempt)
            .values(
                state=outcome.state,
                result={"summary": outcome.summary, **outcome.result},
                finished=now,
                lease_until=None,
                slot=None,
            )
        ).rowcount
        if not ended:
            return False
        append_event(tx, job.id, "ended", {"state": outcome.state.value, "summary": outcome.summary}, now)
        audit.record(
            tx,
            actor=job.actor.id,
            action=f"{job.kind} {outcome.state.value}",
            target=job.target,
            subject=job.id,
            now=now,
            detail={"summary": outcome.summary},
        )
    return True


def take_over(store: Store, left: Job, worker: str, now: datetime) -> bool:
    """One worker looks into a job at a time; while the truth is not to be had it asks again when the lease ends."""
    with store.write() as tx:
        taken: int = tx.execute(
            update(jobs)
            .where(jobs.c.id == left.id, jobs.c.state == JobState.RUNNING, jobs.c.worker == left.worker)
            .where(jobs.c.lease_until == left.lease_until)
            .values(worker=_settling(worker), lease_until=now + LEASE / 5)
        ).rowcount
    return taken == 1


def hand_over(store: Store, job: Job, worker: str, now: datetime) -> bool:
    """Leave a job of ours, whose end we could not follow, to be settled by what is seen outside."""
    with store.write() as tx:
        left = tx.execute(
            update(jobs)
            .where(jobs.c.id == job.id, jobs.c.state == JobState.RUNNING, jobs.c.attempt == job.attempt)
            .where(jobs.c.worker == worker)
            .values(worker=_settling(worker), lease_until=now)
        ).rowcount
        if left:
            append_event(tx, job.id, "store-lost", {"attempt": job.attempt}, now)
    return left == 1


def queue_again(store: Store, left: Job, now: datetime) -> None:
    """Let what may be done twice be done again by whoever is free."""
    with store.write() as tx:
        queued = tx.execute(
            update(jobs)
            .where(jobs.c.id == left.id, jobs.c.state == JobState.RUNNING, jobs.c.attempt == left.attempt)
            .values(state=JobState.QUEUED, worker=None, lease_until=None)
        ).rowcount
        if queued:
            append_event(tx, left.id, "queued-again", {"because": "its worker was lost"}, now)


def _settling(worker: str) -> str:
    return f"{SETTLING}{worker}:{secrets.token_hex(3)}"

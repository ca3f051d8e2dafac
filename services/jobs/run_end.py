"""When a run is over, as far as its database goes: an address that was armed for it is then no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from services.jobs.arming import Arming
from services.jobs.queue import Job, JobState, recent_jobs
from services.releases.ledger import latest_run, run_view
from services.releases.run import RunView
from services.store.database import Store
from services.store.tables import evidence, jobs, run_events


def why_over(view: RunView, newest_run: str | None, own_jobs: Sequence[Job], since: datetime) -> str | None:
    """Why nothing of this run needs the database any more, as a clause; None while something may.

    newest_run: of the target; own_jobs: the run's; since: what ended before counts for nothing
    """
    if newest_run not in (None, view.run.id):
        return f"a newer run ({newest_run}) has begun"
    if any(
        one.kind == "rollback" and one.state is JobState.PASSED and one.finished and one.finished > since
        for one in own_jobs
    ):
        return "the run was rolled back"
    if view.steps and all(step.settled for step in view.steps):
        return "every step of the run is settled"
    return None


class RunWatch:
    """Tells whether the run of an arming is over; works it out anew only when something of it has changed."""

    def __init__(self, store: Store, arming: Arming) -> None:
        self._store = store
        self._target = arming.target
        self._run_id = arming.run_id or ""
        self._since = arming.armed
        self._seen: tuple[Any, ...] | None = None

    def over(self, now: datetime) -> str | None:
        """Why the run is over, or None."""
        newest = latest_run(self._store, self._target)
        seen = (newest.id if newest else None, *self._marks())
        if seen == self._seen:
            return None
        found = why_over(
            run_view(self._store, self._run_id, now),
            seen[0],
            recent_jobs(self._store, self._target, run_id=self._run_id),
            self._since,
        )
        self._seen = seen
        return found

    def _marks(self) -> tuple[Any, ...]:
        questions = (
            select(func.max(run_events.c.seq)).where(run_events.c.run_id == self._run_id),
            select(func.max(evidence.c.seq)).where(evidence.c.run_id == self._run_id),
            select(func.max(jobs.c.finished)).where(jobs.c.run_id == self._run_id),
        )
        with self._store.read() as tx:
            return tuple(tx.execute(one).scalar() for one in questions)

"""What jobs have come to: the newest of a kind, and the newest that has ended, as pages need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.context import PageContext
from services.jobs.queue import Job, recent_jobs


@dataclass(frozen=True, slots=True)
class Results:
    """The jobs of one kind. newest: the last one asked for; ended: the last one that has a result."""

    newest: Job | None
    ended: Job | None
    seen: int

    @property
    def document(self) -> Mapping[str, Any]:
        """The result document of the last one that ended; empty where none has."""
        return (self.ended.result or {}) if self.ended else {}

    @property
    def running(self) -> Job | None:
        return self.newest if self.newest is not None and self.newest.active else None


def results_of(context: PageContext, kind: str, *, run: bool = True) -> Results:
    """The jobs of a kind on this target; run: only those of this view's run, where there is one."""
    run_id = context.run_id if run else None
    found = recent_jobs(context.store, context.target.name, run_id=run_id, kind=kind, limit=1000)
    ended = next((job for job in found if job.result is not None and not job.active), None)
    return Results(found[0] if found else None, ended, len(found))

"""What carries a job out: its handler, what a handler works with, and how a job ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.jobs.queue import Job, JobState
from services.jobs.story import Story
from services.settings import Settings, Target
from services.store.database import Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: its state, one sentence, and the result document that pages and commands read."""

    state: JobState
    summary: str
    result: Mapping[str, Any]


class JobContext:
    """What a handler works with: the job, its target, the store, a clock, and where to tell progress."""

    def __init__(
        self, job: Job, target: Target, settings: Settings, store: Store, clock: Callable[[], datetime], story: Story
    ) -> None:
        self.job = job
        self.target = target
        self.settings = settings
        self.store = store
        self.clock = clock
        self.emit = story.tell
        self._cancel = threading.Event()

    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def cancel(self) -> None:
        self._cancel.set()


class Handler(Protocol):
    def __call__(self, context: JobContext, /) -> Outcome: ...


class Settler(Protocol):
    """Finds out, from the outside world alone, how a job ended whose worker died; None: not over yet."""

    def __call__(self, context: JobContext, /) -> Outcome | None: ...


class Refresher(Protocol):
    """Keeps fresh what open pages look at; returns whether there was anything to do."""

    def __call__(self, settings: Settings, store: Store, now: datetime, /) -> bool: ...

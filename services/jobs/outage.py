"""What a worker does while the store is away: goes on, says so once, writes later, and judges nobody too soon."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from services.jobs.liveness import LEASE
from services.store.database import StoreGone

GRACE_S = LEASE.total_seconds() / 3
"""After the store is back, its other workers need this long to renew their leases."""
AGAIN_S = 0.5
LEAVE_S = 3.0
"""A worker that is told to stop waits this much longer for a store that is away."""

log = structlog.get_logger("worker")

T = TypeVar("T")


class Outage:
    """One worker's view of the store. Safe to use from many threads."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._guard = threading.Lock()
        self._away_since: float | None = None
        self._judges_from = 0.0
        self._leaving = threading.Event()
        self._leaves_at = 0.0

    def turn(self, work: Callable[[], T]) -> T | None:
        """One turn of a loop; None where it failed. Whatever happens in it must not end the worker."""
        try:
            found = work()
        except StoreGone:
            self._went()
            return None
        except Exception:
            log.exception("a turn of the worker failed; it goes on", worker=self._worker)
            return None
        self._came_back()
        return found

    def persist(self, work: Callable[[], T]) -> T | None:
        """Do what has to be written down, again and again while the store is away; None where the worker has to leave
        before it came back: then others find the truth outside."""
        while True:
            try:
                return work()
            except StoreGone:
                self._went()
            if self._leaving.wait(AGAIN_S):
                if time.monotonic() >= self._leaves_at:
                    return None
                time.sleep(AGAIN_S)  # we leave at a time, not at an event

    def may_judge(self) -> bool:
        """Whether a lease that has run out says something: not while those who hold them could not renew them."""
        return self._away_since is None and time.monotonic() >= self._judges_from

    def be_patient(self) -> None:
        """Judge nobody for a while: we have just come, and do not know what was before."""
        with self._guard:
            self._judges_from = time.monotonic() + GRACE_S

    def leave(self) -> None:
        """The worker is told to stop."""
        self._leaves_at = time.monotonic() + LEAVE_S
        self._leaving.set()

    def _went(self) -> None:
        with self._guard:
            if self._away_since is None:
                self._away_since = time.monotonic()
                log.warning("the store does not answer; the worker waits for it", worker=self._worker)

    def _came_back(self) -> None:
        with self._guard:
            if self._away_since is None:
                return
            away_s = round(time.monotonic() - self._away_since, 1)
            self._away_since = None
            self._judges_from = time.monotonic() + GRACE_S
        log.info("the store answers again", worker=self._worker, away_s=away_s)

"""A job's story: its events, written in order by a thread of their own, so that telling costs no time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from services.jobs.queue import append_event
from services.store.database import Store

log = structlog.get_logger("worker")

Event = tuple[str, Mapping[str, Any], datetime]


class Story:
    """Tell events from any thread; `close` returns when all of them are on disk.

    persist: how something is written while the store may be away; returns None where it was given up
    """

    def __init__(
        self,
        store: Store,
        job_id: str,
        clock: Callable[[], datetime],
        persist: Callable[[Callable[[], bool]], bool | None] = lambda write: write(),
    ) -> None:
        self._store = store
        self._persist = persist
        self._job_id = job_id
        self._clock = clock
        self._told: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name=f"story-{job_id}", daemon=True)
        self._writer.start()

    def tell(self, kind: str, payload: Mapping[str, Any]) -> None:
        self._told.put((kind, dict(payload), self._clock()))

    def close(self) -> None:
        if self._writer.is_alive():
            self._told.put(None)
            self._writer.join()

    def _write(self) -> None:
        ended = False
        while not ended:
            batch = [self._told.get()]
            # What piled up while the last batch was written goes into one transaction.
            while not self._told.empty():
                batch.append(self._told.get())
            ended = None in batch
            told = [event for event in batch if event is not None]
            if told:
                self._save(told)

    def _save(self, told: list[Event]) -> None:
        def write() -> bool:
            with self._store.write() as tx:
                for kind, payload, at in told:
                    append_event(tx, self._job_id, kind, payload, at)
            return True

        try:
            if self._persist(write):
                return
        except Exception:
            log.exception("events of a job could not be stored", job=self._job_id, lost=[kind for kind, _, _ in told])
        else:
            log.error("events of a job were not stored: the store was away", job=self._job_id, lost=len(told))

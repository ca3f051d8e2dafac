"""The worker's keeper of armed addresses: takes them in, hands each to a child that needs it, wipes them when over.

An address stays in its `Safe`; what works with it is a process of its own that ends with the job. So no address
becomes a string here, and there is nothing to forget but one page of memory.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
import structlog

from services.errors import NotUnderstood, OpsError
from services.jobs import door as words
from services.jobs.arming import TIME_OVER, WORKER_ENDED, Arming, Wanted, arm, end, is_held, refuse_arming
from services.jobs.door import Door
from services.jobs.ending import SETTLING
from services.jobs.queue import Job, JobState, from_row
from services.jobs.run_end import RunWatch
from services.jobs.safe import Safe, refuse_core_dumps
from services.jobs.waiting import interrupt
from services.settings import Settings
from services.store.database import Store
from services.store.tables import jobs

MOST_AT_ONCE = 4
LOOK_EVERY_S = 0.25
"""How often what is held is looked after, and jobs that wait for it are looked for."""

log = structlog.get_logger("worker")


class Child(Protocol):
    """A process that carries out one job, and goes with us."""

    def fileno(self) -> int: ...
    def running(self) -> bool: ...
    def send(self, number: signal.Signals) -> None: ...
    def wait(self, timeout_s: float) -> bool: ...


StartChild = Callable[[str, str, int], Child]
"""Given the job, the worker it acts for, and the descriptor from which it reads the address."""


@dataclass(frozen=True, slots=True)
class _Started:
    """A child, and the job as it was when the child was started."""

    child: Child
    due: Job


@dataclass(slots=True)
class _Held:
    arming: Arming
    safe: Safe
    run: RunWatch | None


class ArmedWork:
    """Runs beside the worker's loop: `run(worker_id, stop)`.

    door: by which addresses come in; start_child: starts the process for one job
    """

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        *,
        door: Door,
        start_child: StartChild,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._settings = settings
        self._door = door
        self._start_child = start_child
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._children: dict[str, _Started] = {}

    def run(self, worker_id: str, stop: threading.Event) -> None:
        """Work until `stop` is set; then children are asked to stop at their next safe point, and all is wiped."""
        try:
            while not stop.is_set():
                try:
                    self.turn(worker_id, LOOK_EVERY_S)
                except Exception:
                    log.exception("a turn of the keeper of addresses failed; it goes on", worker=worker_id)
                    stop.wait(LOOK_EVERY_S)
        finally:
            self._close()

    def turn(self, worker_id: str, longest_s: float) -> None:
        """Wait for somebody at the door, a child's end or the time; then see to all that is held."""
        watched: list[Door | Child] = [self._door, *(one.child for one in self._children.values())]
        ready, _, _ = select.select(watched, [], [], longest_s)
        if self._door in ready:
            self._take_in(worker_id)
        for job_id, started in list(self._children.items()):
            if not started.child.running():
                del self._children[job_id]
                self._after(started.due, worker_id)
        for target, held in list(self._held.items()):
            self._look_after(target, held)
        if self._held:
            self._start_due(worker_id)

    def _take_in(self, worker_id: str) -> None:
        try:
            peer = self._door.accept()
        except OSError as error:
            log.warning("somebody at the door was turned away", error=type(error).__name__)
            return
        with contextlib.closing(peer):
            try:
                said = words.read_words(peer)
                wanted = Wanted.from_json(said)
                target = self._settings().target(wanted.target)
                refuse_arming(self._store, target, wanted, self._clock())
                refuse_core_dumps()
                safe = Safe(int(said["length"]))
                try:
                    words.answer(peer, words.GO_ON)
                    safe.fill(peer)
                    arming = arm(self._store, target=target, wanted=wanted, worker=worker_id, now=self._clock())
                except BaseException:
                    safe.wipe()
                    raise
            except OpsError as error:
                words.answer(peer, words.refusal(error))
            except (ValueError, KeyError, OSError) as error:
                log.warning("what came through the door was not understood", error=type(error).__name__)
                unclear = NotUnderstood("The worker did not understand what it was handed.", "Nothing was armed.")
                words.answer(peer, words.refusal(unclear))
            else:
                self._forget(wanted.target)
                watch = RunWatch(self._store, arming) if arming.run_id else None
                self._held[wanted.target] = _Held(arming, safe, watch)
                log.info("armed", target=wanted.target, arming=arming.id, run=arming.run_id)
                words.answer(peer, {"arming": arming.id, "worker": worker_id})

    def _look_after(self, target: str, held: _Held) -> None:
        """Wipe what has been ended; end and wipe what is over."""
        now = self._clock()
        over = TIME_OVER if held.arming.until <= now else held.run.over(now) if held.run else None
        if over is not None:
            self._forget(target)
            end(self._store, held.arming.id, over, now)
        elif not is_held(self._store, held.arming.id):
            self._forget(target)

    def _forget(self, target: str) -> None:
        held = self._held.pop(target, None)
        if held is not None:
            held.safe.wipe()
            log.info("forgotten", target=target, arming=held.arming.id)

    def _start_due(self, worker_id: str) -> None:
        """A child for every job that waits for us, and for every one whose process died and left its end unknown."""
        now = self._clock()
        due = sa.select(jobs).where(
            jobs.c.target.in_(self._held),
            sa.or_(
                (jobs.c.state == JobState.QUEUED) & (jobs.c.for_worker == worker_id),
                (jobs.c.state == JobState.RUNNING) & jobs.c.for_worker.is_not(None) & (jobs.c.lease_until < now),
            ),
        )
        with self._store.read() as tx:
            waiting = [from_row(row) for row in tx.execute(due)]
        for one in waiting:
            if one.id not in self._children and len(self._children) < MOST_AT_ONCE:
                self._start(one, worker_id)

    def _start(self, due: Job, worker_id: str) -> None:
        reads, writes = os.pipe()
        try:
            self._children[due.id] = _Started(self._start_child(due.id, worker_id, reads), due)
            # It fits into the pipe's buffer, so that we need not wait for the child to read it.
            self._held[due.target].safe.write_to(writes)
        except OSError as error:
            log.error("the process for a job could not be started", job=due.id, error=type(error).__name__)
            interrupt(self._store, due, "The process that should do it could not be started.", self._clock())
        finally:
            os.close(reads)
            os.close(writes)

    def _after(self, due: Job, worker_id: str) -> None:
        """A job that its process left open: one that never began is interrupted, of the other the truth is sought."""
        now = self._clock()
        with self._store.write() as tx:
            tx.execute(
                sa.update(jobs)
                .where(jobs.c.id == due.id, jobs.c.state == JobState.RUNNING, jobs.c.for_worker == worker_id)
                .where(jobs.c.worker.not_like(f"{SETTLING}%"))
                .values(lease_until=now)
            )
            row = tx.execute(sa.select(jobs).where(jobs.c.id == due.id)).one()
        left = from_row(row)
        if left.state is due.state is JobState.QUEUED and left.attempt == due.attempt:
            interrupt(self._store, left, "The process that should do it ended before it began.", now)

    def _close(self) -> None:
        self._door.close()
        for started in self._children.values():
            started.child.send(signal.SIGTERM)
        held = list(self._held.values())
        for target in list(self._held):
            self._forget(target)
        for one in held:
            with contextlib.suppress(Exception):  # a store that is gone: whoever finds it again sees that we are
                end(self._store, one.arming.id, WORKER_ENDED, self._clock())
        for started in self._children.values():
            started.child.wait(60.0)

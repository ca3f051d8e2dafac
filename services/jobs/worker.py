"""The worker: claims due jobs under a lease, runs them, and finds the truth about those whose worker died."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import delete, insert, or_, select, update

from services.errors import OpsError
from services.jobs.arming import armed, settle_armings
from services.jobs.context import Handler, JobContext, Outcome, Refresher, Settler
from services.jobs.ending import SETTLING, finish, hand_over, queue_again, take_over
from services.jobs.heartbeat import Signs
from services.jobs.kinds import job_kind
from services.jobs.liveness import LEASE, process_is_gone, this_host, worker_is_alive
from services.jobs.outage import Outage
from services.jobs.queue import Job, JobState, append_event, from_row, newest_event
from services.jobs.story import Story
from services.jobs.waiting import release_waiting
from services.settings import Settings
from services.store.database import Store, StoreGone
from services.store.tables import jobs, workers

HEARTBEAT_S = 0.5
IDLE_S = 0.2
TELL_S = 1.0
MOST_AT_ONCE = 4
MOST_ATTEMPTS = 3
NOBODYS = timedelta(seconds=30)
"""A job on a target that our settings do not name is left to other workers for so long, before we end it."""
SILENT_FOR = timedelta(days=1)
"""The row of a worker that gave no sign of life for so long is removed."""

log = structlog.get_logger("worker")

__all__ = ["Handler", "JobContext", "Outcome", "Refresher", "Settler", "Worker", "worker_is_alive"]


class Worker:
    """One worker process. `step` does one thing and says whether it did; `run` loops until told to stop."""

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        *,
        handlers: Mapping[str, Handler],
        settlers: Mapping[str, Settler],
        clock: Callable[[], datetime],
        refresh: Refresher | None = None,
        beside: Callable[[str, threading.Event], None] | None = None,
        acts_for: str | None = None,
        heartbeat: Callable[[Signs, str], Callable[[], bool]] | None = None,
    ) -> None:
        """heartbeat: makes, of the signs that our loops turn and of our id, what is done every second to tell outside
        beside: runs in a thread of its own while `run` does, given our id and the wish to stop
        acts_for: another worker, whose jobs that are only for it this one may carry out: it was handed what they need
        """
        self.id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.store = store
        self._settings = settings
        self._handlers = handlers
        self._settlers = settlers
        self._clock = clock
        self._refresh = refresh
        self._beside = beside
        self._acts_for = acts_for
        self._heartbeat = heartbeat
        self._signs = Signs()
        self._running: dict[str, JobContext] = {}
        self._guard = threading.Lock()
        self._registered = False
        self._outage = Outage(self.id)
        self._try = self._outage.turn

    def step(self) -> bool:
        """Settle what a dead worker left, else claim and run one job here; False where there was nothing to do."""
        if self.settle_dead():
            return True
        claimed = self._claim()
        if claimed is None:
            return False
        self._carry_out(claimed)
        return True

    def run_job(self, job_id: str) -> bool:
        """Claim and run this one job here; False where somebody else has it."""
        claimed = self._claim(job_id)
        if claimed is None:
            return False
        beat = threading.Event()
        thread = threading.Thread(target=self._keep_alive, args=(beat,), name="heartbeat", daemon=True)
        thread.start()
        try:
            self._carry_out(claimed)
        finally:
            beat.set()
            thread.join()
        return True

    def run(self, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set; running jobs are asked to stop at their next safe point and waited for.

        ready: called once, when the store has taken our first sign of life. Raises StoreGone where it does not.
        """
        self._register()
        ready()
        self._outage.be_patient()
        beat = threading.Event()
        heart = threading.Thread(target=self._keep_alive, args=(beat,), name="heartbeat", daemon=True)
        heart.start()
        refresher = threading.Thread(target=self._keep_fresh, args=(stop,), name="refresh", daemon=True)
        refresher.start()
        companion = threading.Thread(target=self._keep_company, args=(stop,), name="beside", daemon=True)
        companion.start()
        # Not waited for at the end: it may be calling an address that does not answer.
        threading.Thread(target=self._keep_telling, args=(stop,), name="outward", daemon=True).start()
        pending: set[Future[None]] = set()
        try:
            with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="job") as pool:
                while not stop.is_set():
                    pending = {future for future in pending if not future.done()}
                    worked = self._turned("its loop of jobs", self.settle_dead)
                    if len(pending) < MOST_AT_ONCE:
                        claimed = self._try(self._claim)
                        if claimed is not None:
                            pending.add(pool.submit(self._try, partial(self._carry_out, claimed)))
                            worked = True
                    if not worked:
                        stop.wait(IDLE_S)
                self._outage.leave()
                self.cancel_running()
            refresher.join()
            companion.join()
        finally:
            beat.set()
            heart.join()
            self._try(self._unregister)

    def cancel_running(self) -> None:
        """Ask what runs here to stop at its next safe point."""
        with self._guard:
            for context in self._running.values():
                context.cancel()

    def settle_dead(self, only: str | None = None) -> bool:
        """Find the truth about running jobs whose worker is gone, and write it down. only: look at this job alone."""
        now = self._clock()
        judging = self._outage.may_judge()
        released = judging and settle_armings(self.store, now)
        released = (judging and release_waiting(self.store, now)) or released
        with self.store.read() as tx:
            if tx.execute(select(jobs.c.id).where(jobs.c.state == JobState.RUNNING).limit(1)).one_or_none() is None:
                return released
            rows = tx.execute(
                select(jobs, workers.c.host, workers.c.pid)
                .outerjoin(workers, workers.c.id == jobs.c.worker)
                .where(jobs.c.state == JobState.RUNNING, or_(jobs.c.worker != self.id, jobs.c.worker.is_(None)))
            ).all()
        settled = released
        for row in rows:
            left = from_row(row)
            if only not in (None, left.id) or self._is_anothers(left, now):
                continue
            late = left.lease_until is None or left.lease_until < now
            if (late and judging) or process_is_gone(row.host, row.pid):
                settled = self._settle(left) or settled
        return settled

    def _is_anothers(self, left: Job, now: datetime) -> bool:
        """Whether the worker that holds the address by which this job's truth is found looks into it itself."""
        if left.for_worker is None or self._acts_for is not None:
            return False
        return armed(self.store, left.target, now) is not None

    def _settle(self, left: Job) -> bool:
        if not take_over(self.store, left, self.id, self._clock()):
            return False
        spec = job_kind(left.kind)
        story = Story(self.store, left.id, self._clock, self._outage.persist)
        try:
            if not (left.worker or "").startswith(SETTLING):
                story.tell("worker-lost", {"worker": left.worker, "attempt": left.attempt})
            if spec.repeats and left.attempt < MOST_ATTEMPTS and not left.cancel_requested:
                story.close()
                queue_again(self.store, left, self._clock())
                return True
            outcome = self._truth(left, story)
        finally:
            story.close()
        if outcome is not None:
            finish(self.store, left, outcome, self._clock())
        return outcome is not None

    def _truth(self, left: Job, story: Story) -> Outcome | None:
        settler = self._settlers.get(left.kind)
        if settler is None:
            return Outcome(
                JobState.INTERRUPTED,
                "Its worker was lost in the middle of it; it can be resumed.",
                {"interrupted": True},
            )
        try:
            settings = self._settings()
            context = JobContext(left, settings.target(left.target), settings, self.store, self._clock, story)
            return settler(context)
        except OpsError as error:
            self._tell_once(left, story, "not-settled", error.to_json())
            return None

    def _tell_once(self, left: Job, story: Story, kind: str, payload: Mapping[str, Any]) -> None:
        """Tell it where it is not what was told last: the same question is asked again for as long as it is open."""
        last = newest_event(self.store, left.id)
        if last is None or (last.kind, dict(last.payload)) != (kind, dict(payload)):
            story.tell(kind, payload)

    def _claim(self, job_id: str | None = None) -> Job | None:
        query = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED).order_by(jobs.c.created, jobs.c.id).limit(1)
        query = query.where(or_(jobs.c.for_worker.is_(None), jobs.c.for_worker == self._acts_for))
        now = self._clock()
        if job_id is not None:
            query = query.where(jobs.c.id == job_id)
        else:
            query = query.where(or_(jobs.c.target.in_(self._targets()), jobs.c.created < now - NOBODYS))
        with self.store.read() as tx:
            waiting = tx.execute(query).scalar()
        if waiting is None:
            return None
        with self.store.write() as tx:
            claimed = tx.execute(
                update(jobs)
                .where(jobs.c.id == waiting, jobs.c.state == JobState.QUEUED)
                .values(
                    state=JobState.RUNNING,
                    worker=self.id,
                    lease_until=now + LEASE,
                    attempt=jobs.c.attempt + 1,
                    started=now,
                )
            ).rowcount
            if not claimed:
                return None
            mine = from_row(tx.execute(select(jobs).where(jobs.c.id == waiting)).one())
            append_event(tx, mine.id, "started", {"worker": self.id, "attempt": mine.attempt}, now)
        return mine

    def _targets(self) -> list[str]:
        """Those that our settings name; on another machine they may be others. None while they cannot be read."""
        try:
            return list(self._settings().targets)
        except OpsError:
            return []

    def _carry_out(self, job: Job) -> None:
        story = Story(self.store, job.id, self._clock, self._outage.persist)
        try:
            outcome = self._outcome(job, story)
            story.close()
            self._outage.persist(lambda: finish(self.store, job, outcome, self._clock()))
        except StoreGone:
            story.close()
            self._outage.persist(lambda: hand_over(self.store, job, self.id, self._clock()))
        finally:
            story.close()
            with self._guard:
                self._running.pop(job.id, None)

    def _outcome(self, job: Job, story: Story) -> Outcome:
        try:
            settings = self._settings()
            context = JobContext(job, settings.target(job.target), settings, self.store, self._clock, story)
            with self._guard:
                self._running[job.id] = context
            return self._handlers[job.kind](context)
        except StoreGone:
            raise
        except OpsError as error:
            state = JobState.UNKNOWN if error.exit_code == 2 else JobState.FAILED
            return Outcome(state, error.what, {"error": error.to_json(), "exit_code": error.exit_code})
        except Exception as error:
            # The last wall: a defect of ours must end the job with a sentence, never the worker.
            reference = secrets.token_hex(4)
            log.exception("job failed unexpectedly", job=job.id, kind=job.kind, reference=reference)
            problem = OpsError(
                f"{job_kind(job.kind).title} ended in a defect of this dashboard ({type(error).__name__}).",
                "What it did until then is in its events; its outcome is unknown.",
                f"Look for reference {reference} in the worker's log, then run the checks again.",
            )
            return Outcome(JobState.UNKNOWN, problem.what, {"error": problem.to_json()})

    def _keep_alive(self, stop: threading.Event) -> None:
        """Renew the leases of what runs here and hand on requests to cancel, twice a second."""
        while not stop.wait(HEARTBEAT_S):
            self._turned("its loop of leases", self._beat)

    def _beat(self) -> bool:
        now = self._clock()
        with self._guard:
            mine = dict(self._running)
        with self.store.write() as tx:
            alive = tx.execute(update(workers).where(workers.c.id == self.id).values(heartbeat=now)).rowcount
            if self._registered and not alive:
                # The store was put back to an earlier state, or we were silent for very long.
                tx.execute(insert(workers).values(self._row(now)))
            if not mine:
                return True
            tx.execute(
                update(jobs)
                .where(jobs.c.id.in_(mine), jobs.c.worker == self.id, jobs.c.state == JobState.RUNNING)
                .values(lease_until=now + LEASE)
            )
            kept = {
                row.id: row.cancel_requested
                for row in tx.execute(
                    select(jobs.c.id, jobs.c.cancel_requested).where(
                        jobs.c.id.in_(mine), jobs.c.worker == self.id, jobs.c.state == JobState.RUNNING
                    )
                )
            }
        for job_id, context in mine.items():
            # A lost lease means that somebody else decides about this job now: stop as on a cancel.
            if kept.get(job_id, True):
                context.cancel()
        return True

    def _keep_fresh(self, stop: threading.Event) -> None:
        refresh = self._refresh
        if refresh is None:
            return
        while not stop.is_set():
            worked = self._turned("watching", lambda: refresh(self._settings(), self.store, self._clock()))
            stop.wait(IDLE_S if worked else 1.0)

    def _keep_telling(self, stop: threading.Event) -> None:
        if self._heartbeat is None:
            return
        tell = self._heartbeat(self._signs, self.id)
        while not stop.wait(TELL_S):
            self._try(tell)

    def _turned(self, loop: str, work: Callable[[], bool]) -> bool:
        """One turn of a loop, with a sign that it was made."""
        worked = self._try(work)
        if worked is not None:
            self._signs.turned(loop)
        return bool(worked)

    def _keep_company(self, stop: threading.Event) -> None:
        beside = self._beside
        if beside is not None:
            beside(self.id, stop)

    def _register(self) -> None:
        now = self._clock()
        with self.store.write() as tx:
            tx.execute(delete(workers).where(workers.c.heartbeat < now - SILENT_FOR))
            tx.execute(insert(workers).values(self._row(now)))
        self._registered = True

    def _row(self, now: datetime) -> dict[str, Any]:
        return {"id": self.id, "host": this_host(), "pid": os.getpid(), "started": now, "heartbeat": now}

    def _unregister(self) -> None:
        self._registered = False
        with self.store.write() as tx:
            tx.execute(delete(workers).where(workers.c.id == self.id))

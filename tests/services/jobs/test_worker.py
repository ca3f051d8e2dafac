"""The worker: one runs what is claimed, a dead one is found out, and the truth comes from outside."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from services.access.permissions import Actor
from services.errors import Unavailable
from services.jobs.liveness import LEASE, this_host
from services.jobs.queue import Job, JobState, active_job, cancel, enqueue, events, job, resume
from services.jobs.worker import Handler, JobContext, Outcome, Settler, Worker
from services.settings import Settings, Target
from services.store.database import Store
from services.store.tables import jobs, workers
from tests.services.conftest import NOON, TurnableClock


def passes(context: JobContext) -> Outcome:
    context.emit("statement", {"index": 1})
    context.emit("statement", {"index": 2})
    return Outcome(JobState.PASSED, "It held.", {"n": 2})


def make(
    store: Store,
    settings: Settings,
    clock: TurnableClock,
    handlers: Mapping[str, Handler] | None = None,
    settlers: Mapping[str, Settler] | None = None,
) -> Worker:
    kinds = dict.fromkeys(("deploy", "check"), passes) if handlers is None else handlers
    return Worker(store, lambda: settings, handlers=kinds, settlers=settlers or {}, clock=clock)


@pytest.fixture
def queued(store: Store, operator: Actor, target: Target) -> Job:
    return enqueue(store, actor=operator, kind="deploy", target=target, payload={"x": 1}, idempotency_key="k", now=NOON)


def kinds(store: Store, job_id: str) -> list[str]:
    return [event.kind for event in events(store, job_id)]


def test_a_step_runs_one_job_and_the_next_finds_nothing(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job
) -> None:
    worker = make(store, settings, clock)
    assert worker.step() is True
    done = job(store, queued.id)
    assert (done.state, done.attempt, done.result) == (JobState.PASSED, 1, {"summary": "It held.", "n": 2})
    assert kinds(store, queued.id) == ["started", "statement", "statement", "ended"]
    assert active_job(store, "staging") is None
    assert worker.step() is False


def test_two_workers_run_a_job_once(store: Store, settings: Settings, clock: TurnableClock, queued: Job) -> None:
    ran: list[str] = []

    def once(context: JobContext) -> Outcome:
        ran.append(context.job.id)
        return Outcome(JobState.PASSED, "", {})

    both = [make(store, settings, clock, {"deploy": once}) for _ in range(2)]
    threads = [threading.Thread(target=worker.step) for worker in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ran == [queued.id]


def test_an_error_is_its_sentence_and_a_timeout_is_unknown(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job
) -> None:
    def fails(context: JobContext) -> Outcome:
        raise Unavailable("The database did not answer within 2 s.", "Nothing was changed.", "Try again.")

    make(store, settings, clock, {"deploy": fails}).step()
    done = job(store, queued.id)
    assert done.state is JobState.UNKNOWN
    assert done.result is not None
    assert done.result["error"]["means"] == "Nothing was changed."


def test_a_defect_ends_the_job_with_a_reference_and_no_secret(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job
) -> None:
    def breaks(context: JobContext) -> Outcome:
        raise KeyError("postgresql://u:hunter2@host/db")

    worker = make(store, settings, clock, {"deploy": breaks})
    assert worker.step() is True
    done = job(store, queued.id)
    assert done.state is JobState.UNKNOWN
    assert "hunter2" not in str(done.result) + str(events(store, queued.id))
    assert done.result is not None
    assert "reference" in done.result["error"]["do"]


def claimed_by_a_dead_worker(store: Store, job_id: str, clock: TurnableClock) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with store.write() as tx:
        tx.execute(insert(workers).values(id="dead", host=this_host(), pid=gone.pid, started=NOON, heartbeat=NOON))
        tx.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(state=JobState.RUNNING, worker="dead", lease_until=clock() + LEASE, attempt=1)
        )


def test_a_deploy_whose_worker_died_is_settled_by_what_is_seen_outside(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job
) -> None:
    claimed_by_a_dead_worker(store, queued.id, clock)

    def applied(context: JobContext) -> Outcome | None:
        return Outcome(JobState.PASSED, "The deploy receipt is there.", {"receipt_id": 7})

    worker = make(store, settings, clock, settlers={"deploy": applied})
    assert worker.step() is True
    assert job(store, queued.id).state is JobState.PASSED
    assert kinds(store, queued.id) == ["worker-lost", "ended"]


def test_without_a_settler_it_is_interrupted_and_can_be_resumed(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job, operator: Actor, target: Target
) -> None:
    claimed_by_a_dead_worker(store, queued.id, clock)
    worker = make(store, settings, clock)
    worker.step()
    assert job(store, queued.id).state is JobState.INTERRUPTED
    assert active_job(store, "staging") is None
    resume(store, actor=operator, job_id=queued.id, target=target, now=NOON)
    worker.step()
    done = job(store, queued.id)
    assert (done.state, done.attempt) == (JobState.PASSED, 2)


def test_while_the_old_backend_still_works_nothing_is_decided(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job
) -> None:
    claimed_by_a_dead_worker(store, queued.id, clock)
    answers: list[Outcome | None] = [None, Outcome(JobState.INTERRUPTED, "Not applied.", {})]

    def later(context: JobContext) -> Outcome | None:
        return answers.pop(0)

    worker = make(store, settings, clock, settlers={"deploy": later})
    worker.step()
    assert job(store, queued.id).state is JobState.RUNNING
    worker.step()
    assert len(answers) == 1, "asked again before the lease of the first look ended"
    clock.turn(LEASE.total_seconds())
    worker.step()
    assert job(store, queued.id).state is JobState.INTERRUPTED


def test_an_unreachable_target_leaves_the_outcome_open(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job
) -> None:
    claimed_by_a_dead_worker(store, queued.id, clock)

    def unreachable(context: JobContext) -> Outcome | None:
        raise Unavailable("The database cannot be reached.")

    make(store, settings, clock, settlers={"deploy": unreachable}).step()
    assert job(store, queued.id).state is JobState.RUNNING
    assert "not-settled" in kinds(store, queued.id)


def test_a_check_whose_worker_died_runs_again_by_itself(
    store: Store, settings: Settings, clock: TurnableClock, operator: Actor, target: Target
) -> None:
    asked = enqueue(store, actor=operator, kind="check", target=target, payload={}, idempotency_key="c", now=NOON)
    claimed_by_a_dead_worker(store, asked.id, clock)
    worker = make(store, settings, clock)
    worker.step()
    worker.step()
    assert job(store, asked.id).state is JobState.PASSED


def test_a_lease_that_ran_out_counts_as_dead_wherever_the_worker_was(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job
) -> None:
    with store.write() as tx:
        tx.execute(insert(workers).values(id="far", host="elsewhere", pid=1, started=NOON, heartbeat=NOON))
        tx.execute(update(jobs).values(state=JobState.RUNNING, worker="far", lease_until=clock() + LEASE, attempt=1))
    worker = make(store, settings, clock)
    assert worker.settle_dead() is False
    clock.turn(LEASE.total_seconds() + 1)
    assert worker.settle_dead() is True


def test_a_cancel_reaches_a_running_job_within_a_second(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job, operator: Actor
) -> None:
    running = threading.Event()

    def until_cancelled(context: JobContext) -> Outcome:
        running.set()
        context._cancel.wait(10)
        return Outcome(JobState.CANCELLED if context.cancelled() else JobState.FAILED, "", {})

    worker = make(store, settings, clock, {"deploy": until_cancelled})
    thread = threading.Thread(target=worker.run_job, args=(queued.id,))
    thread.start()
    running.wait(10)
    cancel(store, actor=operator, job_id=queued.id, now=NOON)
    thread.join(10)
    assert job(store, queued.id).state is JobState.CANCELLED


def test_the_loop_works_and_stops_cleanly(store: Store, settings: Settings, clock: TurnableClock, queued: Job) -> None:
    stop = threading.Event()

    def then_stop(context: JobContext) -> Outcome:
        stop.set()
        return Outcome(JobState.PASSED, "", {})

    make(store, settings, clock, {"deploy": then_stop}).run(stop)
    assert job(store, queued.id).state is JobState.PASSED
    with store.read() as tx:
        assert tx.execute(select(workers)).all() == []


def test_events_of_many_threads_are_all_kept_in_order(
    store: Store, settings: Settings, clock: TurnableClock, queued: Job
) -> None:
    def tells(context: JobContext) -> Outcome:
        for number in range(500):
            context.emit("notice", {"n": number})
        return Outcome(JobState.PASSED, "", {})

    make(store, settings, clock, {"deploy": tells}).step()
    told: list[Any] = [event.payload["n"] for event in events(store, queued.id) if event.kind == "notice"]
    assert told == list(range(500))

"""While the store is away a worker goes on, loses nothing, and judges nobody whose lease could not be renewed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, update

from services.access.permissions import Actor
from services.jobs import outage
from services.jobs.liveness import LEASE
from services.jobs.outage import Outage
from services.jobs.queue import JobState, enqueue, events, job
from services.jobs.worker import JobContext, Outcome, Worker
from services.settings import Settings, Target
from services.store.clock import StoreClock
from services.store.database import Store, StoreGone, open_store
from services.store.tables import jobs, workers
from tests.services.conftest import NOON, TurnableClock


class Fragile(Store):
    """A store that a test can take away."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.engine)
        self.away = threading.Event()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._require()
        with super().read() as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._require()
        with super().write() as tx:
            yield tx

    def _require(self) -> None:
        if self.away.is_set():
            raise StoreGone("Our own store does not answer.")


@pytest.fixture
def fragile(store: Store, monkeypatch: pytest.MonkeyPatch) -> Fragile:
    monkeypatch.setattr(outage, "AGAIN_S", 0.05)
    return Fragile(store)


def queue(store: Store, operator: Actor, target: Target, kind: str = "check") -> str:
    made = enqueue(store, actor=operator, kind=kind, target=target, payload={}, idempotency_key=kind, now=NOON)
    return made.id


def wait_for(store: Store, job_id: str, *states: JobState) -> None:
    until = time.monotonic() + 10
    while job(store, job_id).state not in states:
        assert time.monotonic() < until, job(store, job_id)
        time.sleep(0.02)


def test_how_a_job_ended_and_all_it_told_is_written_when_the_store_is_back(
    store: Store, fragile: Fragile, settings: Settings, clock: TurnableClock, operator: Actor, target: Target
) -> None:
    done = threading.Event()

    def during(context: JobContext) -> Outcome:
        fragile.away.set()
        context.emit("notice", {"n": 1})
        done.set()
        return Outcome(JobState.PASSED, "It held.", {})

    job_id = queue(store, operator, target)
    worker = Worker(fragile, lambda: settings, handlers={"check": during}, settlers={}, clock=clock)
    thread = threading.Thread(target=worker.step)
    thread.start()
    assert done.wait(10)
    time.sleep(0.2)
    assert job(store, job_id).state is JobState.RUNNING
    fragile.away.clear()
    thread.join(10)
    assert job(store, job_id).state is JobState.PASSED
    assert [event.kind for event in events(store, job_id)] == ["started", "notice", "ended"]


def test_a_job_that_lost_the_store_is_done_again_or_its_truth_is_sought_outside(
    store: Store, fragile: Fragile, settings: Settings, clock: TurnableClock, operator: Actor, target: Target
) -> None:
    tries: list[str] = []

    def loses(context: JobContext) -> Outcome:
        tries.append(context.job.kind)
        if tries.count(context.job.kind) == 1:
            raise StoreGone("Our own store does not answer.")
        return Outcome(JobState.PASSED, "It held.", {})

    def receipt(context: JobContext) -> Outcome:
        return Outcome(JobState.PASSED, "The receipt is there.", {})

    ids = [queue(store, operator, target, kind) for kind in ("check", "deploy")]
    worker = Worker(
        fragile,
        lambda: settings,
        handlers={"check": loses, "deploy": loses},
        settlers={"deploy": receipt},
        clock=clock,
    )
    for _ in range(8):
        worker.step()
        clock.turn(1)
    assert [job(store, one).state for one in ids] == [JobState.PASSED, JobState.PASSED]
    assert sorted(tries) == ["check", "check", "deploy"]
    told = [event.kind for event in events(store, ids[1])]
    assert told == ["started", "store-lost", "ended"]


def test_nobody_is_judged_by_a_lease_right_after_the_store_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Outage("w")
    monkeypatch.setattr(outage, "GRACE_S", 0.1)
    assert seen.may_judge()

    def gone() -> None:
        raise StoreGone("Our own store does not answer.")

    seen.turn(gone)
    assert not seen.may_judge()
    seen.turn(lambda: None)
    assert not seen.may_judge()
    time.sleep(0.15)
    assert seen.may_judge()


def test_a_worker_that_leaves_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "AGAIN_S", 0.02)
    monkeypatch.setattr(outage, "LEAVE_S", 0.1)
    seen = Outage("w")

    def gone() -> bool:
        raise StoreGone("Our own store does not answer.")

    seen.leave()
    assert seen.persist(gone) is None


@pytest.mark.parametrize("shared", [True, False], ids=["by-the-stores-clock", "by-its-own-clock"])
def test_a_worker_whose_clock_is_a_minute_ahead_steals_nothing(
    store_url: str, store: Store, settings: Settings, operator: Actor, target: Target, shared: bool
) -> None:
    """And by its own clock it would: that is why leases go by the store's."""
    if store.is_sqlite:
        pytest.skip("one machine, one clock")
    other = open_store(store_url)
    ahead = StoreClock(other.engine, lambda: store.now() + timedelta(seconds=60))
    job_id = queue(store, operator, target, "deploy")
    with store.write() as tx:
        tx.execute(insert(workers).values(id="a", host="elsewhere", pid=1, started=store.now(), heartbeat=store.now()))
        tx.execute(update(jobs).values(state=JobState.RUNNING, worker="a", lease_until=store.now() + LEASE, attempt=1))
    late = Worker(
        other,
        lambda: settings,
        handlers={},
        settlers={},
        clock=ahead if shared else lambda: store.now() + timedelta(seconds=60),
    )
    assert late.settle_dead() is not shared
    assert job(store, job_id).state is (JobState.RUNNING if shared else JobState.INTERRUPTED)
    other.close()


def test_a_job_on_a_target_that_only_others_know_is_left_to_them_for_a_while(
    store: Store, settings: Settings, clock: TurnableClock, operator: Actor
) -> None:
    elsewhere = settings.target("staging").model_copy(update={"name": "elsewhere"})
    job_id = queue(store, Actor("o", "O", operator.role, "elsewhere"), elsewhere)
    worker = Worker(store, lambda: settings, handlers={}, settlers={}, clock=clock)
    assert worker.step() is False
    clock.turn(60)
    assert worker.step() is True
    ended = job(store, job_id)
    assert ended.state is JobState.FAILED
    assert ended.result is not None
    assert "no target called 'elsewhere'" in str(ended.result)

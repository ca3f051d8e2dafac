"""A command's job: done here where no worker lives, followed where one does, and taken over from one that dies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from dashboard.cli import following
from services.access.permissions import Actor, Role
from services.errors import NotUnderstood, OpsError, Refused, Unavailable
from services.jobs.liveness import worker_is_alive
from services.jobs.queue import Job, JobState, enqueue, job
from services.jobs.worker import Handler, JobContext, Outcome, Worker
from services.settings import Level, Settings, Target
from services.store.database import Store
from services.store.tables import jobs, workers
from tests.house import wait_until
from tests.migrated_store import fresh_store

TARGET = Target(name="sandbox", production=False, levels=frozenset(Level))
ACTOR = Actor("cli:me", "me (command line)", Role.ADMIN, "sandbox")
MakeWorker = Callable[..., Worker]


def passed(context: JobContext) -> Outcome:
    context.emit("notice", {"severity": "NOTICE", "message": "half way"})
    return Outcome(JobState.PASSED, "Done.", {"n": 1})


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Store]:
    opened = fresh_store(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def worker_with(store: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], MakeWorker]:
    """Makes workers on this store with one handler for checks, also for the command itself."""
    settings = Settings(home=tmp_path, store_url="sqlite:///x", targets={"sandbox": TARGET})

    def use(handler: Handler) -> MakeWorker:
        def make(*ignored: object, **also_ignored: object) -> Worker:
            return Worker(
                store,
                lambda: settings,
                handlers={"check": handler},
                settlers={},
                clock=lambda: datetime.now(UTC),
            )

        monkeypatch.setattr(following, "make_worker", make)
        monkeypatch.setattr(following.composition, "store", lambda: store)
        monkeypatch.setattr(following.composition, "settings", lambda: settings)
        return make

    return use


def queue(store: Store) -> Job:
    return enqueue(
        store,
        actor=ACTOR,
        kind="check",
        target=TARGET,
        payload={"checks": []},
        idempotency_key=os.urandom(4).hex(),
        now=datetime.now(UTC),
    )


def test_without_a_worker_the_job_is_done_here_and_told(
    store: Store, worker_with: Callable[[Handler], MakeWorker], capsys: pytest.CaptureFixture[str]
) -> None:
    worker_with(passed)
    ended = following.carry_out("check", TARGET, {"checks": []})
    assert ended.state is JobState.PASSED
    assert ended.actor.id.startswith("cli:")
    captured = capsys.readouterr()
    assert "NOTICE: half way" in captured.err
    assert captured.out == ""


def test_with_a_living_worker_it_is_only_followed(
    store: Store, worker_with: Callable[[Handler], MakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = worker_with(passed)()
    monkeypatch.setattr(following, "make_worker", lambda *_, **__: pytest.fail("it was not left to the living worker"))
    stop = threading.Event()
    thread = threading.Thread(target=other.run, args=(stop,))
    thread.start()
    wait_until(lambda: worker_is_alive(store, datetime.now(UTC)), 10, "the worker to give a sign of life")
    try:
        with_worker = queue(store)
        ended = following.follow(store, with_worker)
    finally:
        stop.set()
        thread.join()
    assert ended.state is JobState.PASSED
    assert ended.worker == other.id


def test_a_job_whose_worker_dies_is_taken_over(store: Store, worker_with: Callable[[Handler], MakeWorker]) -> None:
    worker_with(passed)
    left = queue(store)
    gone = datetime.now(UTC) - timedelta(minutes=5)
    with store.write() as tx:
        tx.execute(insert(workers).values(id="elsewhere:1:x", host="elsewhere", pid=1, started=gone, heartbeat=gone))
        tx.execute(update(jobs).values(state=JobState.RUNNING, worker="elsewhere:1:x", attempt=1, lease_until=gone))
    ended = following.follow(store, left)
    assert ended.state is JobState.PASSED
    assert ended.attempt == 2


def test_an_interrupt_asks_the_job_to_stop_at_a_safe_point(
    store: Store, worker_with: Callable[[Handler], MakeWorker]
) -> None:
    started = threading.Event()

    def patient(context: JobContext) -> Outcome:
        started.set()
        for _ in range(200):
            if context.cancelled():
                return Outcome(JobState.CANCELLED, "Stopped before COMMIT.", {})
            threading.Event().wait(0.05)
        return Outcome(JobState.PASSED, "Never asked.", {})

    worker_with(patient)
    interrupter = threading.Thread(target=lambda: (started.wait(10), os.kill(os.getpid(), signal.SIGINT)))
    interrupter.start()
    ended = following.follow(store, queue(store))
    interrupter.join()
    assert ended.state is JobState.CANCELLED
    assert job(store, ended.id).cancel_requested


@pytest.mark.parametrize(
    ("given", "raised"),
    [(Refused("No."), Refused), (Unavailable("Gone."), Unavailable), (NotUnderstood("What?"), OpsError)],
)
def test_an_error_with_a_sentence_comes_back_as_that_error(
    store: Store, worker_with: Callable[[Handler], MakeWorker], given: OpsError, raised: type[OpsError]
) -> None:
    def failing(context: JobContext) -> Outcome:
        raise given

    worker_with(failing)
    with pytest.raises(raised, match=str(given).rstrip(".?")):
        following.carry_out("check", TARGET, {"checks": []})


def test_a_sequence_that_was_put_is_told_where_it_goes_on() -> None:
    told = following.sentence_of("position", {"object": "public.users_id_seq", "position": 7})
    assert told == "  The sequence public.users_id_seq goes on after 7."
    assert following.sentence_of("restore", {"object": "public.users", "rows": 2}) is None

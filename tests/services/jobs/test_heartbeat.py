"""The heartbeat: sent once a span by whichever worker really works, withheld when something is wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from sqlalchemy import event, insert, update

from services.access.permissions import Actor
from services.clients.upstream_error import Kind, UpstreamError
from services.jobs import heartbeat
from services.jobs.heartbeat import Heartbeat, Signs, call, hanging, heartbeat_seen
from services.jobs.queue import JobState, enqueue
from services.jobs.turns import turn_of
from services.jobs.worker import Worker
from services.settings import Settings, Target
from services.store.database import Store
from services.store.tables import job_events, jobs
from tests.services.conftest import NOON, TurnableClock

SECRET = "https://alarm.example.test/ping/5b1c-not-for-anybody"


class Stopwatch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def beating(settings: Settings) -> Settings:
    return settings.model_copy(update={"heartbeat_url": SecretStr(SECRET)})


def made(
    store: Store, settings: Settings, clock: TurnableClock, say: Callable[[str], int], signs: Signs | None = None
) -> Heartbeat:
    store.now = clock  # type: ignore[assignment]
    return Heartbeat(store, lambda: settings, signs or Signs(), "w", call=say)


def answers(status: int, called: list[str] | None = None) -> Callable[[str], int]:
    def say(url: str) -> int:
        if called is not None:
            called.append(url)
        return status

    return say


def test_it_is_called_once_a_span_whoever_finds_it_due(store: Store, beating: Settings, clock: TurnableClock) -> None:
    called: list[str] = []
    both = [made(store, beating, clock, answers(200, called)) for _ in range(2)]
    assert [one.turn() for one in both] == [True, False]
    clock.turn(59)
    assert [one.turn() for one in both] == [False, False]
    clock.turn(1)
    assert [one.turn() for one in reversed(both)] == [True, False]
    assert called == [SECRET, SECRET]


def test_without_an_address_nothing_is_called(store: Store, settings: Settings, clock: TurnableClock) -> None:
    called: list[str] = []
    assert made(store, settings, clock, answers(200, called)).turn() is False
    assert called == []
    assert heartbeat_seen(store, settings, NOON).good is None


def test_what_came_of_it_is_told_with_its_age(store: Store, beating: Settings, clock: TurnableClock) -> None:
    assert heartbeat_seen(store, beating, NOON).good is False
    made(store, beating, clock, answers(200)).turn()
    seen = heartbeat_seen(store, beating, clock.turn(40))
    assert (seen.good, seen.sentence) == (True, "Heartbeat: 40 s ago, answered 200.")
    late = heartbeat_seen(store, beating, clock.turn(560))
    assert (late.good, late.sentence) == (False, "Heartbeat: none for 10 min; the last one was answered 200.")


@pytest.mark.parametrize("way", ["refused", "status"])
def test_a_call_that_failed_is_told_without_the_address_and_tried_again_only_when_it_is_due(
    store: Store, beating: Settings, clock: TurnableClock, way: str
) -> None:
    tries: list[str] = []

    def say(url: str) -> int:
        tries.append(url)
        if way == "status":
            return 404
        raise UpstreamError("It", Kind.UNREACHABLE, f"nobody at {url}")

    beat = made(store, beating, clock, answers(200))
    beat.turn()
    clock.turn(60)
    failing = made(store, beating, clock, say)
    assert failing.turn() is True
    assert [failing.turn() for _ in range(20)] == [False] * 20
    assert len(tries) == 1
    seen = heartbeat_seen(store, beating, clock.turn(5))
    assert seen.good is False
    assert seen.sentence.startswith("Heartbeat: failed 5 s ago: ")
    assert "last answered at 2026-03-01T12:00:00Z" in seen.sentence
    turn = turn_of(store, heartbeat.NAME)
    assert "alarm.example" not in seen.sentence + str(turn)


def test_a_loop_that_stands_still_silences_it_and_another_worker_may_speak(
    store: Store, beating: Settings, clock: TurnableClock
) -> None:
    watch = Stopwatch()
    signs = Signs(watch)
    signs.turned("watching")
    called: list[str] = []
    stuck, well = made(store, beating, clock, answers(200, called), signs), made(store, beating, clock, answers(200))
    assert stuck.turn() is True
    watch.now += heartbeat.STUCK_S + 1
    clock.turn(60)
    assert stuck.turn() is False
    assert len(called) == 1
    assert "withheld for 5 s, since watching has stood still for 121 s" in (
        heartbeat_seen(store, beating, clock.turn(5)).sentence
    )
    assert well.turn() is True


def running(store: Store, actor: Actor, target: Target, **values: Any) -> str:
    made = enqueue(store, actor=actor, kind="rehearse", target=target, payload={}, idempotency_key="k", now=NOON)
    with store.write() as tx:
        tx.execute(update(jobs).values(state=JobState.RUNNING, worker="w", attempt=1, **values))
    return made.id


def test_a_job_that_tells_nothing_for_long_silences_it(
    store: Store, beating: Settings, clock: TurnableClock, operator: Actor, target: Target
) -> None:
    job_id = running(store, operator, target, started=NOON, lease_until=NOON + timedelta(days=1))
    clock.turn(29 * 60)
    assert hanging(store, clock.now) is None
    clock.turn(2 * 60)
    told = f"'Rehearse the deploy' ({job_id}) has told nothing for 31 min"
    assert hanging(store, clock.now) == told
    assert made(store, beating, clock, answers(200)).turn() is False
    assert told in heartbeat_seen(store, beating, clock.now).sentence
    with store.write() as tx:
        tx.execute(insert(job_events).values(job_id=job_id, seq=1, at=clock.now, kind="phase", payload={}))
    assert hanging(store, clock.now) is None


def test_a_job_that_nobody_settles_silences_it(store: Store, operator: Actor, target: Target) -> None:
    running(store, operator, target, started=NOON, lease_until=NOON)
    assert hanging(store, NOON + timedelta(minutes=1)) is None
    assert "nobody has settled it" in str(hanging(store, NOON + timedelta(minutes=3)))


def test_an_address_that_drips_or_hangs_ends_in_time(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "CALL_S", 0.3)
    released = threading.Event()

    def hang(_request: Any) -> Any:
        released.wait(5)

    httpserver.expect_request("/ping/x").respond_with_data("OK")
    httpserver.expect_request("/hang").respond_with_handler(hang)
    assert call(httpserver.url_for("/ping/x")) == 200
    began = time.monotonic()
    with pytest.raises(UpstreamError):
        call(httpserver.url_for("/hang"))
    assert time.monotonic() - began < 2
    released.set()


def test_a_worker_whose_store_takes_no_write_falls_silent(
    store: Store, beating: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole worker: it beats; then every write hangs, and so does the beat; then it beats again."""
    beats: list[datetime] = []
    often = beating.model_copy(update={"heartbeat_every_s": 0.1})
    monkeypatch.setattr("services.jobs.worker.TELL_S", 0.02)
    going = threading.Event()
    going.set()

    @event.listens_for(store.engine, "begin")
    def stuck(connection: Any) -> None:
        if connection.get_execution_options().get("ops_write"):
            going.wait(10)

    def beat(signs: Signs, worker: str) -> Callable[[], bool]:
        def say(_url: str) -> int:
            beats.append(store.now())
            return 200

        return Heartbeat(store, lambda: often, signs, worker, call=say).turn

    stop = threading.Event()
    worker = Worker(store, lambda: often, handlers={}, settlers={}, clock=store.now, heartbeat=beat)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        _until(lambda: len(beats) > 2)
        going.clear()
        time.sleep(0.3)
        silent_from = len(beats)
        time.sleep(0.5)
        assert len(beats) <= silent_from + 1
        going.set()
        _until(lambda: len(beats) > silent_from + 2)
    finally:
        going.set()
        stop.set()
        thread.join(10)


def _until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.02)

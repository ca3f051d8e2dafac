"""The private way in, the keeper behind it, and what its children are given: with children of the test's own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from services.access.permissions import Actor, Role
from services.errors import OpsError, Refused, Unavailable
from services.jobs.armed_work import ArmedWork
from services.jobs.arming import Wanted, armed, disarm, last_end
from services.jobs.door import FOLDER, Door, hand_over
from services.jobs.queue import Job, JobState, enqueue, job
from services.jobs.safe import LONGEST_BYTES, Safe
from services.settings import Level, Settings, Target
from services.store.database import Store
from services.store.tables import jobs, workers
from tests.migrated_store import fresh_store
from tests.services.conftest import NOON, TurnableClock

ME = "near:1:me"
SECRET = b"postgresql://owner:word@db.example:5432/app"


@dataclass
class Child:
    """A process that is none: it reads what it was given, and ends when the test says so."""

    job_id: str
    given: bytes = b""
    asked: list[signal.Signals] = field(default_factory=list)
    _ends: tuple[int, int] = field(default_factory=os.pipe)
    _over: bool = False

    def fileno(self) -> int:
        return self._ends[0]

    def running(self) -> bool:
        return not self._over

    def send(self, number: signal.Signals) -> None:
        self.asked.append(number)
        self.end()

    def wait(self, timeout_s: float) -> bool:
        return self._over

    def end(self) -> None:
        if not self._over:
            self._over = True
            os.close(self._ends[1])


class House:
    """A keeper with its door, turned by hand; `children` are those it started."""

    def __init__(self, home: Path, store: Store, target: Target, clock: TurnableClock) -> None:
        self.home, self.store, self.target, self.clock = home, store, target, clock
        self.children: list[Child] = []
        settings = Settings(home=home, store_url="sqlite://", targets={target.name: target})
        self.keeper = ArmedWork(store, lambda: settings, door=Door(home), start_child=self._start, clock=clock)
        self._reads: list[int] = []
        with store.write() as tx:
            tx.execute(insert(workers).values(id=ME, host="far", pid=1, started=NOON, heartbeat=NOON))

    def _start(self, job_id: str, worker_id: str, descriptor: int) -> Child:
        assert worker_id == ME
        self._reads.append(os.dup(descriptor))
        self.children.append(Child(job_id))
        return self.children[-1]

    def given(self, number: int) -> bytes:
        """What a child was handed: to the end, so that nothing keeps its pipe open."""
        with os.fdopen(self._reads[number], "rb") as pipe:
            return pipe.read()

    def turn(self) -> None:
        self.keeper.turn(ME, 0.0)

    def visit(self, wanted: Wanted, secret: bytes = SECRET) -> object:
        """Somebody at the door while the keeper turns; what they were told, or the error they got."""
        told: list[object] = []

        def go() -> None:
            try:
                told.append(hand_over(self.home, wanted.to_json(), secret))
            except OpsError as error:
                told.append(error)

        visitor = threading.Thread(target=go)
        visitor.start()
        while visitor.is_alive():
            self.keeper.turn(ME, 0.05)
        return told[0]

    def ask(self, actor: Actor, kind: str = "deploy") -> Job:
        return enqueue(
            self.store,
            actor=actor,
            kind=kind,
            target=self.target,
            payload={},
            idempotency_key=secrets.token_hex(4),
            now=self.clock(),
        )


@pytest.fixture
def olga() -> Actor:
    return Actor("u-olga", "Olga", Role.OPERATOR, "staging")


@pytest.fixture
def house(open_tmp_path: Path, clock: TurnableClock) -> Iterator[House]:
    store = fresh_store(open_tmp_path / "store.sqlite3")
    target = Target(name="staging", levels=frozenset({Level.LOOK, Level.DEPLOY}))
    made = House(open_tmp_path / "home", store, target, clock)
    yield made
    stop = threading.Event()
    stop.set()
    made.keeper.run(ME, stop)
    store.close()


def wanted(actor: Actor, until: datetime = NOON + timedelta(hours=1)) -> Wanted:
    return Wanted("staging", None, "db.example:5432/app", "owner", actor, until)


def test_the_door_is_open_to_this_account_alone(house: House) -> None:
    folder = house.home / FOLDER
    (door,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(door.stat().st_mode) == 0o600


def test_nothing_is_handed_to_a_worker_of_another_account(
    house: House, olga: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 987_654)
    with pytest.raises(Refused, match="another account"):
        hand_over(house.home, wanted(olga).to_json(), SECRET)


def test_another_account_at_the_door_is_turned_away_unheard(
    house: House, olga: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = json.dumps({**wanted(olga).to_json(), "length": len(SECRET)}).encode()
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(next((house.home / FOLDER).iterdir())))
        visitor.sendall(len(words).to_bytes(4, "big") + words)
        monkeypatch.setattr(os, "geteuid", lambda: 987_654)
        house.turn()
        with pytest.raises(ConnectionResetError):
            visitor.recv(100)
    assert armed(house.store, "staging", NOON) is None


def test_what_is_handed_over_is_held_and_given_to_a_child(house: House, olga: Actor) -> None:
    assert house.visit(wanted(olga)) == {"arming": armed_id(house), "worker": ME}
    asked = house.ask(olga)
    house.turn()
    assert [child.job_id for child in house.children] == [asked.id]
    assert house.given(0) == SECRET
    house.turn()
    assert len(house.children) == 1, "one child a job"


def armed_id(house: House) -> str:
    found = armed(house.store, "staging", NOON)
    assert found is not None
    return found.id


def test_the_longest_address_fits_into_the_pipe(house: House, olga: Actor) -> None:
    secret = b"x" * LONGEST_BYTES
    assert isinstance(house.visit(wanted(olga), secret), dict)
    house.ask(olga)
    house.turn()
    assert house.given(0) == secret


@pytest.mark.parametrize("secret", [b"", b"x" * (LONGEST_BYTES + 1)])
def test_what_is_no_address_is_not_taken(house: House, olga: Actor, secret: bytes) -> None:
    told = house.visit(wanted(olga), secret)
    assert isinstance(told, OpsError)
    assert "did not understand" in told.what
    assert armed(house.store, "staging", NOON) is None


def test_a_refusal_is_told_at_the_door(house: House, olga: Actor) -> None:
    house.visit(wanted(olga))
    told = house.visit(wanted(Actor("u-otto", "Otto", Role.OPERATOR, "staging")))
    assert isinstance(told, Refused)
    assert "armed already by Olga until 2026-03-01 13:00 UTC" in told.what


def test_without_a_worker_it_says_how_to_start_one(tmp_path: Path, olga: Actor) -> None:
    with pytest.raises(Unavailable, match="No worker of this folder is there"):
        hand_over(tmp_path, wanted(olga).to_json(), SECRET)


@pytest.mark.parametrize(
    "said", [b"", b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x02{}", b"\0\0\0\x04null"]
)
def test_nonsense_at_the_door_changes_nothing(house: House, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(next((house.home / FOLDER).iterdir())))
        visitor.sendall(said)
        visitor.shutdown(socket.SHUT_WR)
        house.turn()
        with suppress(ConnectionResetError):
            answer = visitor.recv(1000)
            assert b"did not understand" in answer
    assert armed(house.store, "staging", NOON) is None


def test_half_an_address_is_not_held(house: House, olga: Actor) -> None:
    words = json.dumps({**wanted(olga).to_json(), "length": len(SECRET)}).encode()
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(next((house.home / FOLDER).iterdir())))
        visitor.sendall(len(words).to_bytes(4, "big") + words + SECRET[:9])
        visitor.shutdown(socket.SHUT_WR)
        house.turn()
    assert armed(house.store, "staging", NOON) is None


def test_what_is_disarmed_is_given_to_nobody_any_more(house: House, olga: Actor) -> None:
    house.visit(wanted(olga))
    house.ask(olga)
    disarm(house.store, olga, "staging", NOON)
    house.turn()
    assert house.children == []


def test_what_is_over_by_its_time_is_ended_by_the_keeper(house: House, olga: Actor) -> None:
    house.visit(wanted(olga))
    house.clock.turn(3600)
    house.turn()
    assert last_end(house.store, "staging") == "its time was over"


def test_a_job_whose_child_never_began_is_interrupted(house: House, olga: Actor) -> None:
    house.visit(wanted(olga))
    asked = house.ask(olga)
    house.turn()
    house.given(0)
    house.children[0].end()
    house.turn()
    left = job(house.store, asked.id)
    assert left.state is JobState.INTERRUPTED
    assert "ended before it began" in (left.result or {})["summary"]


def test_a_job_whose_child_died_in_it_gets_another_that_finds_out(house: House, olga: Actor) -> None:
    house.visit(wanted(olga))
    asked = house.ask(olga)
    house.turn()
    begins(house, asked)
    house.children[0].end()
    house.turn()
    house.clock.turn(0.1)
    house.turn()
    assert [child.job_id for child in house.children] == [asked.id, asked.id]
    assert [house.given(number) for number in (0, 1)] == [SECRET, SECRET]


def begins(house: House, asked: Job) -> None:
    with house.store.write() as tx:
        until = house.clock() + timedelta(seconds=15)
        tx.execute(
            update(jobs)
            .where(jobs.c.id == asked.id)
            .values(state=JobState.RUNNING, worker="child", attempt=1, lease_until=until)
        )


def test_a_job_that_was_resumed_while_its_child_was_ending_is_left_to_the_next(house: House, olga: Actor) -> None:
    house.visit(wanted(olga))
    asked = house.ask(olga)
    begins(house, asked)
    house.clock.turn(16)
    house.turn()
    with house.store.write() as tx:
        tx.execute(update(jobs).where(jobs.c.id == asked.id).values(state=JobState.QUEUED))
    house.children[0].end()
    house.turn()
    assert job(house.store, asked.id).state is JobState.QUEUED
    assert [child.job_id for child in house.children] == [asked.id, asked.id]
    assert [house.given(number) for number in (0, 1)] == [SECRET, SECRET]


def test_an_orderly_end_asks_the_children_to_stop_and_ends_what_is_armed(house: House, olga: Actor) -> None:
    house.visit(wanted(olga))
    house.ask(olga)
    house.turn()
    house.given(0)
    stop = threading.Event()
    stop.set()
    house.keeper.run(ME, stop)
    assert house.children[0].asked == [signal.SIGTERM]
    assert last_end(house.store, "staging") == "the worker ended, and with it its memory"
    assert list((house.home / FOLDER).iterdir()) == []


def test_a_socket_that_a_killed_worker_left_is_taken_away(tmp_path: Path) -> None:
    left = Door(tmp_path)
    left._listening.close()
    door = Door(tmp_path)
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    door.close()


def test_a_home_with_a_long_path_has_a_door_too(tmp_path: Path, olga: Actor, clock: TurnableClock) -> None:
    home = tmp_path / ("a" * 100) / ("b" * 60)
    home.mkdir(parents=True)
    store = fresh_store(tmp_path / "store.sqlite3")
    house = House(home, store, Target(name="staging", levels=frozenset({Level.LOOK, Level.DEPLOY})), clock)
    assert isinstance(house.visit(wanted(olga)), dict)
    stop = threading.Event()
    stop.set()
    house.keeper.run(ME, stop)
    store.close()


def test_a_safe_gives_its_memory_back_and_can_be_wiped_again() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(SECRET)
        safe = Safe(len(SECRET))
        safe.fill(ours)
    memory = safe._memory
    assert memory[: len(SECRET)] == SECRET
    safe.wipe()
    safe.wipe()
    assert memory.closed

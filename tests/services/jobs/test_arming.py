"""Arming: who may, for what, until when; what a job of an armed target waits for; and all the ways it is over."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select, update

from services.access.permissions import Actor, Role
from services.errors import OpsError, Refused
from services.jobs.arming import (
    LONGEST,
    TIME_OVER,
    WORKER_ENDED,
    Arming,
    Wanted,
    arm,
    armed,
    disarm,
    end,
    is_held,
    last_end,
    settle_armings,
)
from services.jobs.kinds import KINDS
from services.jobs.liveness import LEASE
from services.jobs.queue import Job, JobState, enqueue, events, job, resume
from services.jobs.waiting import release_waiting
from services.jobs.worker import JobContext, Outcome, Worker
from services.releases.ledger import start_run
from services.settings import Level, Settings, Target
from services.store import audit
from services.store.database import Store
from services.store.tables import armings, workers
from tests.pages.world import small_release
from tests.services.conftest import NOON, TurnableClock

HOUR = timedelta(hours=1)
HOLDER = "far:1:abc"


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite; and Postgres for the tests that ask for it, which take all the ways to a row."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    url: str = request.getfixturevalue("make_database")()
    return url


on_both = pytest.mark.parametrize("store_url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def production(target: Target) -> Target:
    return target.model_copy(update={"deploy_url": None, "production": True})


@pytest.fixture
def worker(store: Store) -> str:
    """A worker of another machine that has just given a sign of life."""
    return lives(store, HOLDER)


def lives(store: Store, worker_id: str) -> str:
    with store.write() as tx:
        tx.execute(insert(workers).values(id=worker_id, host="far", pid=1, started=NOON, heartbeat=NOON))
    return worker_id


def wanted(actor: Actor, run_id: str | None = None, lasting: timedelta = HOUR) -> Wanted:
    return Wanted("staging", run_id, "db.example:5432/app", "owner", actor, NOON + lasting)


def held(store: Store, target: Target, actor: Actor, worker: str, run_id: str | None = None) -> Arming:
    return arm(store, target=target, wanted=wanted(actor, run_id), worker=worker, now=NOON)


def ask(store: Store, actor: Actor, target: Target, kind: str = "deploy", run_id: str | None = None) -> Job:
    key = secrets.token_hex(4)
    return enqueue(
        store, actor=actor, kind=kind, target=target, payload={}, idempotency_key=key, now=NOON, run_id=run_id
    )


def run_of(store: Store, actor: Actor) -> str:
    return start_run(store, actor=actor, release=small_release(), target="staging", now=NOON)


def test_an_arming_tells_all_but_the_address(store: Store, operator: Actor, production: Target, worker: str) -> None:
    run_id = run_of(store, operator)
    held(store, production, operator, worker, run_id)
    found = armed(store, "staging", NOON)
    assert found is not None
    assert (found.run_id, found.worker, found.role, found.actor) == (run_id, worker, "owner", operator)
    assert found.place == "db.example:5432/app"
    assert (found.armed, found.until) == (NOON, NOON + HOUR)
    assert audit.entries(store)[0].action == "arm"


def test_what_is_wanted_survives_the_way_to_the_worker(operator: Actor) -> None:
    asked = wanted(operator, "run-1")
    assert Wanted.from_json(asked.to_json()) == asked


@pytest.mark.parametrize(
    ("change", "ask_for", "said"),
    [
        ({"levels": frozenset({Level.LOOK})}, {}, "level 'deploy'"),
        ({"deploy_url": SecretStr("postgresql://o@h/d")}, {}, "has a deploy_url in its settings"),
        ({}, {"until": NOON + LONGEST + timedelta(seconds=1)}, "at most 24 hours"),
        ({}, {"until": NOON}, "at most 24 hours"),
        ({}, {"run_id": "run-none"}, "no run 'run-none'"),
        ({}, {"actor": Actor("v", "Vera", Role.VIEWER, "staging")}, "may not deploy"),
        ({}, {"actor": Actor("o", "Olga", Role.OPERATOR, "elsewhere")}, "signed in to elsewhere"),
    ],
)
def test_arming_is_refused_with_a_sentence(
    store: Store,
    operator: Actor,
    production: Target,
    worker: str,
    change: dict[str, object],
    ask_for: dict[str, object],
    said: str,
) -> None:
    target, asked = production.model_copy(update=change), replace(wanted(operator), **ask_for)  # type: ignore[arg-type]
    with pytest.raises(OpsError, match=said):
        arm(store, target=target, wanted=asked, worker=worker, now=NOON)
    with store.read() as tx:
        assert tx.execute(select(armings)).all() == []


def test_what_somebody_else_holds_is_refused_saying_who_and_until_when(
    store: Store, operator: Actor, production: Target, worker: str
) -> None:
    held(store, production, operator, worker)
    other = Actor("u-other", "Otto", Role.OPERATOR, "staging")
    with pytest.raises(Refused, match=r"by Olga Operator until 2026-03-01 13:00 UTC"):
        held(store, production, other, worker)
    found = armed(store, "staging", NOON)
    assert found is not None and found.actor == operator


@on_both
def test_the_same_person_arms_anew(store: Store, operator: Actor, production: Target, worker: str) -> None:
    first, second = (held(store, production, operator, worker) for _ in range(2))
    assert not is_held(store, first.id)
    found = armed(store, "staging", NOON)
    assert found is not None and found.id == second.id


def by_time(store: Store, operator: Actor) -> tuple[timedelta, str]:
    return HOUR, TIME_OVER


def by_silence(store: Store, operator: Actor) -> tuple[timedelta, str]:
    return LEASE + timedelta(seconds=1), WORKER_ENDED


def by_leaving(store: Store, operator: Actor) -> tuple[timedelta, str]:
    with store.write() as tx:
        tx.execute(workers.delete())
    return timedelta(), WORKER_ENDED


@pytest.mark.parametrize("ending", [by_time, by_silence, by_leaving])
def test_what_is_over_is_not_armed_and_is_ended_by_whoever_sees_it(
    store: Store,
    operator: Actor,
    production: Target,
    worker: str,
    ending: Callable[[Store, Actor], tuple[timedelta, str]],
) -> None:
    held(store, production, operator, worker)
    if ending is by_time:
        with store.write() as tx:
            tx.execute(update(workers).values(heartbeat=NOON + HOUR))
    later, because = ending(store, operator)
    assert armed(store, "staging", NOON + later) is None
    assert settle_armings(store, NOON + later) is True
    assert last_end(store, "staging") == because
    assert settle_armings(store, NOON + later) is False
    told = audit.entries(store)[0]
    assert (told.action, told.detail["because"]) == ("disarm", because)


def test_what_holds_is_not_settled(store: Store, operator: Actor, production: Target, worker: str) -> None:
    held(store, production, operator, worker)
    assert settle_armings(store, NOON) is False
    assert last_end(store, "staging") is None


def test_disarming_ends_it_once_and_names_who_did(
    store: Store, operator: Actor, viewer: Actor, production: Target, worker: str
) -> None:
    arming = held(store, production, operator, worker)
    with pytest.raises(Refused, match="may not deploy"):
        disarm(store, viewer, "staging", NOON)
    assert disarm(store, operator, "staging", NOON).id == arming.id
    assert last_end(store, "staging") == "Olga Operator disarmed it"
    assert end(store, arming.id, "twice", NOON) is False
    with pytest.raises(Refused, match="is not armed"):
        disarm(store, operator, "staging", NOON)


@pytest.mark.parametrize("kind", sorted(kind.id for kind in KINDS.values() if kind.level is Level.DEPLOY))
def test_a_job_that_needs_the_owner_is_refused_unless_armed(
    store: Store, operator: Actor, production: Target, worker: str, kind: str
) -> None:
    with pytest.raises(Refused) as refused:
        ask(store, operator, production, kind)
    told = str(refused.value)
    assert "the level 'deploy'" in told and "arm --target staging" in told
    assert "/settings?target=staging&level=deploy" in told
    held(store, production, operator, worker)
    assert ask(store, operator, production, kind).for_worker == worker


def test_a_target_with_a_configured_address_is_not_armed(store: Store, operator: Actor, target: Target) -> None:
    assert ask(store, operator, target).for_worker is None


def test_an_arming_serves_its_own_run_alone(store: Store, operator: Actor, production: Target, worker: str) -> None:
    first, second = run_of(store, operator), run_of(store, operator)
    held(store, production, operator, worker, first)
    with pytest.raises(Refused, match=f"armed for run {first}, not for {second}"):
        ask(store, operator, production, run_id=second)
    assert ask(store, operator, production, run_id=first).for_worker == worker


def test_what_only_sees_more_as_the_owner_is_done_without_it_where_it_is_gone(
    store: Store, operator: Actor, production: Target, worker: str
) -> None:
    assert ask(store, operator, production, "rehearse").for_worker is None
    held(store, production, operator, worker)
    asked = ask(store, operator, production, "rehearse")
    assert asked.for_worker == worker
    disarm(store, operator, "staging", NOON)
    assert release_waiting(store, NOON) is True
    left = job(store, asked.id)
    assert (left.state, left.for_worker) == (JobState.QUEUED, None)


def passes(context: JobContext) -> Outcome:
    return Outcome(JobState.PASSED, "Done.", {})


def other_worker(store: Store, settings: Settings, clock: TurnableClock, acts_for: str | None = None) -> Worker:
    kinds = dict.fromkeys(("deploy", "rehearse"), passes)
    return Worker(store, lambda: settings, handlers=kinds, settlers={}, clock=clock, acts_for=acts_for)


def test_only_what_was_handed_the_address_takes_the_job(
    store: Store, settings: Settings, clock: TurnableClock, operator: Actor, production: Target, worker: str
) -> None:
    held(store, production, operator, worker)
    asked = ask(store, operator, production)
    assert other_worker(store, settings, clock).step() is False
    assert other_worker(store, settings, clock, "somebody else").run_job(asked.id) is False
    assert other_worker(store, settings, clock, worker).run_job(asked.id) is True
    assert job(store, asked.id).state is JobState.PASSED


@on_both
def test_a_job_whose_address_is_gone_is_interrupted_and_resumed_after_arming_again(
    store: Store, settings: Settings, clock: TurnableClock, operator: Actor, production: Target, worker: str
) -> None:
    held(store, production, operator, worker)
    asked = ask(store, operator, production)
    assert release_waiting(store, NOON) is False
    disarm(store, operator, "staging", NOON)
    assert other_worker(store, settings, clock).step() is True
    left = job(store, asked.id)
    assert left.state is JobState.INTERRUPTED
    assert (left.result or {})["summary"] == (
        "The owner's address of staging is gone: Olga Operator disarmed it. Nothing was done. Arm staging again, "
        "then resume it."
    )
    assert [event.kind for event in events(store, asked.id)] == ["ended"]
    with pytest.raises(Refused, match="is not armed"):
        resume(store, actor=operator, job_id=asked.id, target=production, now=NOON)
    again = lives(store, "near:2:def")
    held(store, production, operator, again)
    resumed = resume(store, actor=operator, job_id=asked.id, target=production, now=NOON)
    assert (resumed.state, resumed.for_worker) == (JobState.QUEUED, again)


def test_a_job_that_waits_for_an_address_held_elsewhere_now_is_interrupted(
    store: Store, operator: Actor, production: Target, worker: str
) -> None:
    held(store, production, operator, worker)
    asked = ask(store, operator, production)
    held(store, production, operator, lives(store, "near:2:def"))
    assert release_waiting(store, NOON) is True
    assert job(store, asked.id).state is JobState.INTERRUPTED


@on_both
def test_who_holds_no_address_leaves_a_dead_armed_job_to_who_does(
    store: Store, settings: Settings, clock: TurnableClock, operator: Actor, production: Target, worker: str
) -> None:
    held(store, production, operator, worker)
    asked = ask(store, operator, production)

    def dies(context: JobContext) -> Outcome:
        raise SystemExit

    dead = Worker(store, lambda: settings, handlers={"deploy": dies}, settlers={}, clock=clock, acts_for=worker)
    with pytest.raises(SystemExit):
        dead.run_job(asked.id)
    later = clock.turn(LEASE.total_seconds() + 1)
    with store.write() as tx:
        tx.execute(update(workers).values(heartbeat=later))
    assert other_worker(store, settings, clock).step() is False
    assert job(store, asked.id).state is JobState.RUNNING
    other_worker(store, settings, clock, worker).settle_dead(only=asked.id)
    assert job(store, asked.id).state is JobState.INTERRUPTED

"""The queue: one job for one intent, one change at a time, permission and level asked before anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from services.access.permissions import Actor
from services.errors import NotUnderstood, OpsError, Refused
from services.jobs.kinds import KINDS
from services.jobs.queue import Job, JobState, active_job, cancel, enqueue, events, job, recent_jobs, resume
from services.settings import Level, Target
from services.store import audit
from services.store.database import Store
from services.store.tables import jobs
from tests.services.conftest import NOON


def ask(store: Store, actor: Actor, target: Target, kind: str = "deploy", key: str = "k") -> Job:
    return enqueue(store, actor=actor, kind=kind, target=target, payload={}, idempotency_key=key, now=NOON)


def test_the_same_key_is_the_same_job(store: Store, operator: Actor, target: Target) -> None:
    assert ask(store, operator, target).id == ask(store, operator, target).id
    assert len(recent_jobs(store, "staging")) == 1
    assert [entry.action for entry in audit.entries(store)] == ["queue deploy"]


def test_twenty_clicks_at_once_are_one_job(store: Store, operator: Actor, target: Target) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: ask(store, operator, target).id, range(20)))
    assert len(set(asked)) == 1
    assert len(recent_jobs(store, "staging")) == 1


def test_a_second_change_is_refused_and_names_the_first(store: Store, operator: Actor, target: Target) -> None:
    first = ask(store, operator, target, "deploy", "a")
    with pytest.raises(Refused, match=first.id):
        ask(store, operator, target, "rollback", "b")
    assert active_job(store, "staging") == first


def test_two_changes_at_once_leave_one(store: Store, operator: Actor, target: Target) -> None:
    def attempt(number: int) -> str | None:
        try:
            return ask(store, operator, target, "deploy", f"key-{number}").id
        except OpsError:
            return None

    with ThreadPoolExecutor(8) as pool:
        won = [job_id for job_id in pool.map(attempt, range(16)) if job_id]
    assert len(won) == 1


def test_checks_may_run_beside_a_change(store: Store, operator: Actor, target: Target) -> None:
    ask(store, operator, target, "deploy", "a")
    assert ask(store, operator, target, "check", "b").state is JobState.QUEUED


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_viewer_may_queue_nothing(store: Store, viewer: Actor, target: Target, kind: str) -> None:
    with pytest.raises(Refused, match="viewer"):
        ask(store, viewer, target, kind)
    assert recent_jobs(store, "staging") == []


@pytest.mark.parametrize("kind", sorted(kind.id for kind in KINDS.values() if kind.level is not Level.LOOK))
def test_a_new_target_can_be_looked_at_and_nothing_else(store: Store, operator: Actor, kind: str) -> None:
    with pytest.raises(Refused, match=f"level '{KINDS[kind].level}'"):
        ask(store, operator, Target(name="staging"), kind)


def test_a_queued_job_is_cancelled_at_once_and_frees_its_place(store: Store, operator: Actor, target: Target) -> None:
    first = ask(store, operator, target, "deploy", "a")
    assert cancel(store, actor=operator, job_id=first.id, now=NOON).state is JobState.CANCELLED
    assert active_job(store, "staging") is None


def test_a_running_job_is_asked_to_stop(store: Store, operator: Actor, target: Target) -> None:
    first = ask(store, operator, target)
    with store.write() as tx:
        tx.execute(update(jobs).values(state=JobState.RUNNING))
    stopped = cancel(store, actor=operator, job_id=first.id, now=NOON)
    assert stopped.state is JobState.RUNNING
    assert stopped.cancel_requested
    assert [event.kind for event in events(store, first.id)] == ["cancel-requested"]


def test_a_viewer_cannot_cancel_or_resume(store: Store, operator: Actor, viewer: Actor, target: Target) -> None:
    first = ask(store, operator, target)
    with pytest.raises(Refused):
        cancel(store, actor=viewer, job_id=first.id, now=NOON)
    with pytest.raises(Refused):
        resume(store, actor=viewer, job_id=first.id, target=target, now=NOON)
    assert job(store, first.id).state is JobState.QUEUED


def test_an_interrupted_job_is_resumed_once_by_two_clicks(store: Store, operator: Actor, target: Target) -> None:
    first = ask(store, operator, target)
    with store.write() as tx:
        tx.execute(update(jobs).values(state=JobState.INTERRUPTED, slot=None))
    for _ in range(2):
        assert resume(store, actor=operator, job_id=first.id, target=target, now=NOON).state is JobState.QUEUED
    assert [event.kind for event in events(store, first.id)] == ["resumed"]


def test_what_has_passed_cannot_be_resumed(store: Store, operator: Actor, target: Target) -> None:
    first = ask(store, operator, target)
    with store.write() as tx:
        tx.execute(update(jobs).values(state=JobState.PASSED, slot=None))
    with pytest.raises(Refused, match="passed"):
        resume(store, actor=operator, job_id=first.id, target=target, now=NOON)


def test_resuming_waits_for_the_change_under_way(store: Store, operator: Actor, target: Target) -> None:
    first = ask(store, operator, target, "deploy", "a")
    with store.write() as tx:
        tx.execute(update(jobs).values(state=JobState.INTERRUPTED, slot=None))
    ask(store, operator, target, "rollback", "b")
    with pytest.raises(Refused, match="one change at a time"):
        resume(store, actor=operator, job_id=first.id, target=target, now=NOON)


def test_unknown_kinds_and_jobs_are_sentences(store: Store, operator: Actor, target: Target) -> None:
    with pytest.raises(NotUnderstood, match="no kind of job"):
        ask(store, operator, target, "explode")
    with pytest.raises(NotUnderstood, match="no job"):
        job(store, "job-none")

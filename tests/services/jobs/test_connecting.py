"""The job that proves a level: who may ask for it, and what it leaves in our store."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.access.permissions import Actor, Role
from services.connecting.level_proofs import newest_proof
from services.errors import Refused
from services.jobs.handlers import make_worker
from services.jobs.queue import Job, JobState, enqueue, events, job
from services.releases.ledger import newest_evidence
from services.settings import Level, Settings, Target
from services.store.database import Store
from services.verdict import Verdict
from tests.services.clients.scripted_server import ScriptedServer, answers
from tests.services.conftest import NOON

ADMIN = Actor("u-admin", "Ada Admin", Role.ADMIN, "staging")


def asked(store: Store, target: Target, level: str, actor: Actor = ADMIN) -> Job:
    payload = {"level": level}
    return enqueue(
        store, actor=actor, kind="prove_level", target=target, payload=payload, idempotency_key=level, now=NOON
    )


def carried_out(store: Store, settings: Settings, queued: Job) -> Job:
    assert make_worker(store, lambda: settings, watch=False).run_job(queued.id)
    return job(store, queued.id)


@pytest.fixture
def store_url(tmp_path: object) -> str:
    return f"sqlite:///{tmp_path}/store.sqlite3"


def test_only_an_admin_has_a_level_proved(store: Store, operator: Actor, target: Target) -> None:
    with pytest.raises(Refused, match="grant and take back levels"):
        asked(store, target, "look", operator)


def test_what_was_seen_is_told_and_kept_with_its_evidence(store: Store, settings: Settings) -> None:
    server = ScriptedServer(answers({"paths": {}}))
    try:
        place = Target(name="staging", app_url=server.url)
        known = settings.model_copy(update={"targets": {"staging": place}})
        ended = carried_out(store, known, asked(store, place, "look"))
    finally:
        server.close()
    assert ended.state is JobState.PASSED
    assert ended.result is not None
    assert ended.result["proof"]["level"] == "look"
    told = [one.payload for one in events(store, ended.id) if one.kind == "seen"]
    assert told == ended.result["proof"]["seen"]
    kept = newest_proof(store, known.home, place, Level.LOOK)
    assert kept is not None
    assert (kept.holds, kept.by, kept.proof.verdict) == (True, ADMIN.id, Verdict.PASS)
    assert kept.allows_granting(datetime.now(UTC))
    assert "certificate" in newest_evidence(store, "staging", ["certificate"])


def test_a_proof_that_failed_ends_its_job_so_and_allows_no_granting(store: Store, settings: Settings) -> None:
    place = Target(name="staging")
    known = settings.model_copy(update={"targets": {"staging": place}})
    ended = carried_out(store, known, asked(store, place, "platform"))
    assert ended.state is JobState.UNKNOWN
    kept = newest_proof(store, known.home, place, Level.PLATFORM)
    assert kept is not None
    assert not kept.allows_granting(datetime.now(UTC))


def test_a_level_that_there_is_not_is_a_sentence(store: Store, settings: Settings, target: Target) -> None:
    ended = carried_out(store, settings, asked(store, target, "everything"))
    assert ended.state is JobState.FAILED
    assert ended.result is not None
    assert "Levels: look" in ended.result["error"]["do"]

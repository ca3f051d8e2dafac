"""Kill -9 of the worker at random moments of a deploy: all or nothing, said truly, resumed by one action."""

from __future__ import annotations

import os
import random
import secrets
import signal
import time

import pytest

from services.database.deployment.receipts import find_receipt, remove_all
from services.database.fingerprint import catalog_fingerprint
from services.jobs.queue import Job, JobState, active_job, enqueue, events, job, resume
from services.releases.bundle import Release, load_release, release_from_files
from services.releases.ledger import run_view, start_run
from tests.campaign import only_in_full
from tests.house import ROOT, House, now, wait_until

RELEASE = ROOT / "apps" / "pulsecheck" / "releases" / "beta-optimization"
ROUNDS = 60
SEED = 20260301


@pytest.fixture(scope="module")
def slow_release() -> Release:
    """The beta release with a second of waiting in its middle, so that a kill meets each of its moments."""
    files = dict(load_release(str(RELEASE)).files)
    checklist = files["release.yaml"].decode()
    files["deploy/035_wait.sql"] = b"SELECT pg_sleep(0.5);\nSELECT pg_sleep(0.5);\n"
    files["release.yaml"] = checklist.replace("deploy: [", "deploy: [035_wait.sql, ", 1).encode()
    return release_from_files(files)


@pytest.fixture(scope="module")
def run_id(house: House, slow_release: Release) -> str:
    return start_run(house.store, actor=house.operator, release=slow_release, target="sandbox", now=now())


@pytest.fixture(scope="module")
def rehearsed(house: House, run_id: str) -> str:
    done = house.wait_for_job(queue(house, "rehearse", run_id, "during-1").id)
    assert done.state is JobState.PASSED, done.result
    return run_id


def queue(house: House, kind: str, run_id: str, step_id: str | None = None) -> Job:
    return enqueue(
        house.store,
        actor=house.operator,
        kind=kind,
        target=house.target,
        payload={},
        idempotency_key=secrets.token_hex(8),
        now=now(),
        run_id=run_id,
        step_id=step_id,
    )


def catalog(house: House) -> str:
    with house.database() as connection:
        return catalog_fingerprint(connection).digest


def url(house: House) -> str:
    assert house.target.deploy_url is not None
    return house.target.deploy_url.get_secret_value()


def kill_worker_during(house: House, job_id: str, after_s: float) -> None:
    """Wait until the job runs, wait on, kill -9 its worker, and wait until the supervisor has put another in place."""
    wait_until(lambda: job(house.store, job_id).state is not JobState.QUEUED, 30, "the job to start")
    time.sleep(after_s)
    killed = house.worker_pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: house.worker_pid() != killed, 30, "a new worker")


@pytest.mark.campaign
@only_in_full
@pytest.mark.timeout(3600)
def test_a_killed_deploy_is_wholly_applied_or_not_at_all(house: House, rehearsed: str) -> None:
    moments = random.Random(SEED)
    before = catalog(house)
    after = ""
    for number in range(ROUNDS):
        deploy = queue(house, "deploy", rehearsed, "during-2")
        kill_worker_during(house, deploy.id, moments.uniform(0.0, 2.2))
        ended = house.wait_for_job(deploy.id)
        assert ended.state in (JobState.INTERRUPTED, JobState.PASSED), (number, ended)
        receipt = find_receipt(url(house), "beta-optimization")
        applied = receipt is not None and receipt.job_id == deploy.id
        assert applied == (ended.state is JobState.PASSED), (number, ended.result)
        if not applied:
            assert catalog(house) == before, f"round {number}: half applied"
            resume(house.store, actor=house.operator, job_id=deploy.id, target=house.target, now=now())
            ended = house.wait_for_job(deploy.id)
            assert ended.state is JobState.PASSED, (number, ended.result)
        after = after or catalog(house)
        assert catalog(house) == after, f"round {number}: not the deployed catalog"
        assert active_job(house.store, "sandbox") is None
        back = house.wait_for_job(queue(house, "rollback", rehearsed).id)
        assert back.state is JobState.PASSED, back.result
        assert catalog(house) == before
        remove_all(url(house))


def test_the_screens_state_follows_the_truth(house: House, rehearsed: str) -> None:
    deploy = queue(house, "deploy", rehearsed, "during-2")
    kill_worker_during(house, deploy.id, 0.6)
    ended = house.wait_for_job(deploy.id)
    told = [event.kind for event in events(house.store, deploy.id)]
    assert "worker-lost" in told
    step = run_view(house.store, rehearsed, now()).step("during-2")
    if ended.state is JobState.INTERRUPTED:
        assert step.state.value == "unknown"
        assert "nothing was applied" in step.because
        resume(house.store, actor=house.operator, job_id=deploy.id, target=house.target, now=now())
        house.wait_for_job(deploy.id)
    assert run_view(house.store, rehearsed, now()).step("during-2").state.value == "passed"
    house.wait_for_job(queue(house, "rollback", rehearsed).id)
    remove_all(url(house))

"""Several workers and pages on one store: a job is done once whoever is killed, and an outage loses nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.database.deployment.receipts import find_receipt, remove_all
from services.jobs.queue import JobState, active_job, events, job, resume
from services.jobs.watch import show_interest
from services.store import audit
from tests.campaign import only_in_full
from tests.conftest import open_folder
from tests.faults.fleet import Fleet, at_a_moment, fleet
from tests.house import wait_until

SEED = 20260307
ROUNDS = 25
CHECKS = 9
LOOK = "guests-answer"
SLOW = """
CREATE TABLE IF NOT EXISTS arrivals (id int);
SELECT pg_sleep(0.6);
ALTER TABLE arrivals ADD COLUMN IF NOT EXISTS note text;
"""

pytestmark = [pytest.mark.campaign, only_in_full, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def house() -> Iterator[Fleet]:
    with open_folder() as folder, fleet(folder) as made:
        yield made


@pytest.fixture(scope="module")
def release(house: Fleet) -> str:
    """A release of one file that takes its time, rehearsed."""
    path: Path = house.folder / "slow.sql"
    path.write_text(SLOW)
    done = house.ended(house.queue("rehearse", release=str(path)).id)
    assert done.state is JobState.PASSED, done.result
    return str(path)


def columns(house: Fleet) -> list[str]:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('arrivals') AND attnum > 0 ORDER BY attnum"
    with psycopg.connect(house.target_url) as conn:
        return [row[0] for row in conn.execute(query)]


def test_of_many_jobs_each_is_done_once_though_a_worker_is_killed_in_the_middle_of_one(house: Fleet) -> None:
    draw = random.Random(SEED)
    house.book.delay_s, before, begun = 0.2, house.book.asked, 0
    for number in range(ROUNDS):
        queued = [house.queue("check", checks=[LOOK]).id for _ in range(CHECKS)]
        victim = draw.choice(queued)
        wait_until(lambda victim=victim: job(house.store, victim).state is not JobState.QUEUED, 30, "it to begin")
        at_a_moment(draw, 0.2)
        holder = house.worker_of(victim) or draw.choice(house.workers)
        house.kill(holder)
        replaced = house.start("worker")
        for job_id in queued:
            ended = house.ended(job_id)
            told = [event.kind for event in events(house.store, job_id)]
            assert ended.state is JobState.PASSED, (number, ended.result)
            assert told.count("started") == 1 + told.count("queued-again"), (number, told)
            assert told.count("ended") == 1, (number, told)
            assert told.count("queued-again") == told.count("worker-lost"), (number, told)
            begun += told.count("started")
        house.until_ready(replaced)
    house.book.delay_s = 0.0
    assert ROUNDS * CHECKS <= house.book.asked - before <= begun
    assert audit.first_broken(house.store) is None


def test_a_deploy_whose_worker_is_killed_is_settled_by_another_by_what_is_seen_outside(
    house: Fleet, release: str
) -> None:
    draw = random.Random(SEED + 1)
    for number in range(ROUNDS):
        deploy = house.queue("deploy", release=release)
        wait_until(lambda deploy=deploy: house.worker_of(deploy.id) is not None, 30, "a worker to take it")
        at_a_moment(draw, 1.2)
        holder = house.worker_of(deploy.id)
        if holder is not None:
            house.kill(holder)
        ended = house.ended(deploy.id)
        receipt = find_receipt(house.target_url, "slow")
        applied = receipt is not None and receipt.job_id == deploy.id
        assert applied == (ended.state is JobState.PASSED), (number, ended.result)
        assert columns(house) == (["id", "note"] if applied else []), number
        if not applied:
            assert ended.state is JobState.INTERRUPTED, (number, ended.result)
            operator, target = ended.actor, house.settings.target("guests")
            resume(house.store, actor=operator, job_id=deploy.id, target=target, now=house.now())
            assert house.ended(deploy.id).state is JobState.PASSED
        assert columns(house) == ["id", "note"]
        assert active_job(house.store, "guests") is None
        remove_all(house.target_url)
        with psycopg.connect(house.target_url) as conn:
            conn.execute("DROP TABLE arrivals")
        if holder is not None:
            house.until_ready(house.start("worker"))


def test_what_fifty_pages_show_is_looked_at_by_one_worker(house: Fleet) -> None:
    seconds = 60.0
    before, until = house.book.asked, time.monotonic() + seconds
    while time.monotonic() < until:
        show_interest(house.store, "guests", "war-room", house.now())
        time.sleep(0.5)
    looks = house.book.asked - before
    assert 1 <= looks <= seconds / 5 + 2


def test_a_store_that_goes_away_and_comes_back_loses_nothing(house: Fleet) -> None:
    draw = random.Random(SEED + 2)
    for number in range(max(1, ROUNDS // 3)):
        queued = [house.queue("check", checks=[LOOK]).id for _ in range(CHECKS)]
        at_a_moment(draw, 0.3)
        with house.store_away():
            assert not any(house.is_ready(web) for web in house.webs)
            at_a_moment(draw, 3.0)
        for job_id in queued:
            ended = house.ended(job_id)
            assert ended.state is JobState.PASSED, (number, ended.result)
        wait_until(lambda: all(house.is_ready(web) for web in house.webs), 15, "the pages to be back")
    assert all(part.process.poll() is None for part in house.parts)
    assert audit.first_broken(house.store) is None
    for part in house.parts:
        assert "Traceback" not in part.log, part.log
        assert '"level": "error"' not in part.log, part.log

"""Faults of the database server: each is seen from outside, and gone without a trace after it was undone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import psycopg
import pytest

from services.database.fingerprint import Fingerprint, RowHash, catalog_fingerprint, row_hashes
from services.sandbox.faults.database_held import StoppedServer
from services.sandbox.images import PROJECT
from services.sandbox.postgres import OWNER, READ_ONLY
from tests.campaign import only_in_full, sample
from tests.services.sandbox.twin_world import TwinWorld, twin_world

pytestmark = [pytest.mark.campaign, only_in_full]

SEED = 11


@pytest.fixture(scope="module")
def world() -> Iterator[TwinWorld]:
    with twin_world("after") as one:
        yield one


@pytest.fixture(autouse=True)
def _mended_after(world: TwinWorld) -> Iterator[None]:
    before = traces(world)
    yield
    world.thread.run(world.world.repair(), timeout_s=60)
    assert world.world.held == {}
    assert traces(world) == before


def traces(world: TwinWorld) -> tuple[Fingerprint, dict[str, RowHash]]:
    with psycopg.connect(world.world.cluster.dsn(OWNER), autocommit=True) as conn:
        return catalog_fingerprint(conn), row_hashes(conn)


def broken(world: TwinWorld, *faults: str) -> None:
    for fault in faults:
        world.thread.run(world.world.break_fault(fault), timeout_s=60)


def mended(world: TwinWorld, *faults: str) -> None:
    for fault in faults:
        world.thread.run(world.world.repair(fault), timeout_s=60)


def direct(world: TwinWorld) -> str:
    """How a login as the read-only role ends: its SQLSTATE, or what it says."""
    try:
        with psycopg.connect(world.world.cluster.dsn(READ_ONLY), connect_timeout=2) as conn:
            conn.execute("select 1")
    except psycopg.errors.ConnectionTimeout:
        return "timeout"
    except psycopg.OperationalError as error:
        text = str(error)
        return "password" if "password" in text else "too many" if "too many" in text or "slots" in text else "refused"
    return "answers"


def rest(world: TwinWorld, timeout_s: float = 3.0) -> int:
    """The status of one read of the journal by REST; 0: none in time."""
    try:
        return httpx.get(
            f"{world.world.addresses.supabase_url}/rest/v1/journal_entries",
            params={"select": "id", "limit": "1"},
            headers={"apikey": world.world.keys.service_key, "authorization": f"Bearer {world.world.keys.service_key}"},
            timeout=timeout_s,
            trust_env=False,
        ).status_code
    except httpx.TimeoutException:
        return 0


def stats(world: TwinWorld, timeout_s: float = 15.0) -> int:
    return world.app.get("/api/v1/journal/stats", timeout=timeout_s).status_code


SEEN: dict[str, Callable[[TwinWorld], bool]] = {
    "database-down": lambda world: direct(world) == "refused" and stats(world) == 500,
    "database-hangs": lambda world: direct(world) == "timeout" and rest(world, 1.0) == 0,
    "connections-exhausted": lambda world: direct(world) == "too many",
    "database-read-only": lambda world: writing(world) == 500 and stats(world) == 200,
    "table-locked": lambda world: direct(world) == "answers" and rest(world, 1.0) == 0,
    "our-database-login-rejected": lambda world: direct(world) == "password" and rest(world) == 200,
}


def writing(world: TwinWorld) -> int:
    status = world.app.post("/api/v1/journal/entries", json=ENTRY).status_code
    if status == 200:
        world.sql("delete from journal_entries where content = %s", ENTRY["content"])
    return status


ENTRY = {"content": "Written by a test of faults", "mood_level": 5, "energy_level": 5, "stress_level": 5}


def well(world: TwinWorld) -> bool:
    return direct(world) == "answers" and rest(world) == 200 and stats(world) == 200 and writing(world) == 200


@pytest.mark.parametrize("fault", sample(SEEN, 5, seed=20260315))
def test_a_fault_is_seen_from_outside_and_gone_when_it_is_undone(world: TwinWorld, fault: str) -> None:
    assert well(world)
    broken(world, fault)
    assert SEEN[fault](world)
    mended(world, fault)
    assert well(world)


ALL_PAIRS = [(one, other) for one in SEEN for other in SEEN if one != other]


def pairs() -> list[tuple[str, str]]:
    return ALL_PAIRS if os.environ.get("OPS_CAMPAIGN") == "full" else Random(SEED).sample(ALL_PAIRS, 2)


@pytest.mark.parametrize("pair", pairs(), ids="+".join)
def test_two_faults_are_undone_in_the_order_in_which_they_were_made(world: TwinWorld, pair: tuple[str, str]) -> None:
    one, other = pair
    broken(world, one, other)
    mended(world, one)
    assert SEEN[other](world)
    mended(world, other)
    assert well(world)


OWNER_OF_THE_STOPPED = """
import sys, time
from services.sandbox.faults.frozen import Frozen
Frozen(int(sys.argv[1]), lambda: [])
print("stopped", flush=True)
time.sleep(60)
"""


@contextmanager
def _sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            yield sleeper
        finally:
            sleeper.kill()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_what_is_stopped_goes_on_when_its_owner_is_killed() -> None:
    with _sleeper() as sleeper:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER_OF_THE_STOPPED, str(sleeper.pid)], cwd=PROJECT, stdout=subprocess.PIPE
        )
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"stopped\n"
        assert state_of(sleeper.pid) == "T"
        owner.kill()
        owner.wait()
        owner.stdout.close()
        deadline = time.monotonic() + 5
        while state_of(sleeper.pid) == "T" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert state_of(sleeper.pid) in "RS"


def test_a_reset_and_a_close_wake_up_what_hangs() -> None:
    with twin_world("before") as one:
        broken(one, "our-database-login-rejected", "table-locked", "database-hangs")
        one.thread.run(one.world.reset(), timeout_s=60)
        assert well(one)
        assert one.world.held == {}
        broken(one, "database-hangs")
        held = one.world.held["database-hangs"]
        assert isinstance(held, StoppedServer)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    assert not [pid for pid in held.pids if Path(f"/proc/{pid}").exists()]

"""Faults of the database server: each is seen from outside, and gone without a trace after it was undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from services.database.fingerprint import Fingerprint, RowHash, catalog_fingerprint, row_hashes
from services.sandbox.faults.database_held import StoppedServer
from services.sandbox.postgres import OWNER, READ_ONLY
from tests.services.sandbox.twin_world import TwinWorld, twin_world


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


@pytest.mark.parametrize("fault", SEEN)
def test_a_fault_is_seen_from_outside_and_gone_when_it_is_undone(world: TwinWorld, fault: str) -> None:
    assert well(world)
    broken(world, fault)
    assert SEEN[fault](world)
    mended(world, fault)
    assert well(world)


def test_no_process_stays_stopped_when_the_world_closes_while_it_hangs() -> None:
    with twin_world("before") as one:
        broken(one, "database-hangs")
        held = one.world.held["database-hangs"]
        assert isinstance(held, StoppedServer)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    assert not [pid for pid in held.pids if Path(f"/proc/{pid}").exists()]

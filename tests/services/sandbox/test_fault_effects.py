"""Each fault of an upstream is seen from outside, also beside others, undone in any order, and after a restart."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.database.fingerprint import catalog_fingerprint
from services.sandbox.faults import GENERIC
from services.sandbox.hosting import AT_ONCE
from services.sandbox.postgres import OWNER
from tests.campaign import only_in_full, sample
from tests.services.sandbox.fault_effects import (
    COMPLETIONS,
    EFFECTS,
    MODELS,
    RELEASED,
    STATS,
    auth,
    backups,
    calls_left,
    ill_services,
    incidents,
    project,
    railway,
    rest,
    rows_of_journal,
)
from tests.services.sandbox.twin_world import TwinWorld, twin_world, world_at

pytestmark = [pytest.mark.campaign, only_in_full]

GROUPS = ("App", "OpenAI", "Supabase", "Railway", "Status pages")
# Those that have a build deployed take seconds; the others are in effect at once.
SLOW = frozenset({"openai-key-missing", "openai-key-malformed"})
FULL = os.environ.get("OPS_CAMPAIGN") == "full"
PAIRS = list(combinations(sorted(set(EFFECTS) - (frozenset() if FULL else SLOW)), 2))
SAMPLE = PAIRS if FULL else random.Random(2026).sample(PAIRS, 4)


@pytest.fixture(scope="module")
def shared() -> Iterator[TwinWorld]:
    with twin_world("after") as one:
        one.world.hosting.pace = AT_ONCE
        yield one


@pytest.fixture
def world(shared: TwinWorld) -> Iterator[TwinWorld]:
    yield shared
    shared.thread.run(shared.world.repair(), timeout_s=60)


def make(world: TwinWorld, fault: str) -> None:
    world.thread.run(world.world.break_fault(fault), timeout_s=60)


def mend(world: TwinWorld, fault: str | None = None) -> None:
    world.thread.run(world.world.repair(fault), timeout_s=60)


def portrait(world: TwinWorld) -> dict[str, Any]:
    """What an outsider sees of a whole world, and what its catalog and its variables are."""
    with psycopg.connect(world.world.cluster.dsn(OWNER)) as conn:
        catalog = catalog_fingerprint(conn).digest
    looks = {
        "app": STATS,
        "models": MODELS,
        "completions": COMPLETIONS,
        "project": project,
        "auth": auth,
        "rows": rows_of_journal,
        "released": rest(f"{RELEASED}?limit=1"),
        "services": ill_services,
        "backups": backups,
        "railway": railway,
        "calls": calls_left,
        "incidents": incidents("railway"),
    }
    seen = {name: look(world) for name, look in looks.items()}
    active = world.world.hosting.active
    return {**seen, "catalog": catalog, "variables": dict(active.variables) if active else None}


def test_every_fault_of_an_upstream_is_looked_at_here() -> None:
    assert {fault.id for fault in GENERIC if fault.group in GROUPS} - set(EFFECTS) - DEPLOYMENTS == set()


DEPLOYMENTS = frozenset({"app-crashed", "deployment-stuck", "deployment-stopped"})


@pytest.mark.parametrize("fault", sample(EFFECTS, 12, seed=20260312))
def test_the_effect_is_there_while_it_is_broken_and_only_then(world: TwinWorld, fault: str) -> None:
    effect = EFFECTS[fault]
    whole = effect.look(world)
    assert whole != effect.broken
    make(world, fault)
    assert effect.look(world) == effect.broken
    mend(world, fault)
    assert effect.look(world) == whole


def test_after_every_fault_was_made_and_undone_nothing_is_left(world: TwinWorld) -> None:
    whole = portrait(world)
    order = sorted(set(EFFECTS) - SLOW)
    for fault in order:
        make(world, fault)
    random.Random(7).shuffle(order)
    for fault in order:
        mend(world, fault)
    assert portrait(world) == whole
    assert (world.world.broken, world.world.kept) == (set(), {})


@pytest.mark.parametrize(("first", "second"), SAMPLE)
def test_two_at_once_are_undone_in_either_order(world: TwinWorld, first: str, second: str) -> None:
    for undone, left in ((first, second), (second, first)):
        make(world, first)
        make(world, second)
        mend(world, undone)
        assert EFFECTS[left].look(world) == EFFECTS[left].broken, f"{left} after {undone} was undone"
        mend(world, left)
        assert EFFECTS[left].look(world) != EFFECTS[left].broken
        assert EFFECTS[undone].look(world) != EFFECTS[undone].broken


def test_two_values_of_one_variable_are_taken_back_one_by_one(world: TwinWorld) -> None:
    variables = world.world.hosting.variables
    good = variables["OPENAI_API_KEY"]
    make(world, "openai-key-missing")
    make(world, "openai-key-malformed")
    mend(world, "openai-key-malformed")
    assert "OPENAI_API_KEY" not in variables
    mend(world, "openai-key-missing")
    assert variables["OPENAI_API_KEY"] == good
    assert EFFECTS["openai-key-missing"].look(world) is True


def test_a_variable_that_could_not_be_deployed_is_once_the_way_is_free(world: TwinWorld) -> None:
    make(world, "openai-key-malformed")
    make(world, "supabase-rest-error")
    mend(world, "openai-key-malformed")
    assert EFFECTS["openai-key-malformed"].look(world) is False
    mend(world, "supabase-rest-error")
    assert EFFECTS["openai-key-malformed"].look(world) is True


def test_what_is_broken_in_the_database_is_mended_while_it_is_down(world: TwinWorld) -> None:
    whole = portrait(world)
    make(world, "grants-missing")
    make(world, "row-cap")
    make(world, "database-down")
    mend(world, "grants-missing")
    mend(world, "row-cap")
    mend(world, "database-down")
    assert portrait(world) == whole


def test_what_the_door_answers_stands_in_the_platforms_log(world: TwinWorld) -> None:
    make(world, "app-server-error")
    known = len(world.world.hosting.edge.requests)
    STATS(world)
    logged = world.world.hosting.edge.requests[-1]
    assert (len(world.world.hosting.edge.requests) - known, logged.status) == (1, 500)


def test_what_a_door_delays_is_as_slow_in_the_platforms_log(world: TwinWorld) -> None:
    world.thread.run(delayed(world, 0.3))
    STATS(world)
    world.thread.run(delayed(world, 0.0))
    assert world.world.hosting.edge.requests[-1].total_ms >= 300


async def delayed(world: TwinWorld, delay_s: float) -> None:
    world.world.doors["app"].delay_s = delay_s


def test_a_reset_forgets_everything(world: TwinWorld) -> None:
    whole = portrait(world)
    for fault in ("app-unreachable", "openai-bad-key", "row-cap", "grants-missing", "backup-old", "calls-used-up"):
        make(world, fault)
    world.thread.run(world.world.reset(), timeout_s=60)
    seen = portrait(world)
    assert seen == whole
    assert world.world.broken == set()


def test_over_a_restart_what_was_broken_stays_broken_and_can_be_mended(open_tmp_path: Path) -> None:
    broken = ("app-unreachable", "openai-app-key-bad", "row-cap", "grants-missing", "backup-old", "status-unreadable")
    with world_at(open_tmp_path / "home", "after") as one:
        whole = portrait(one)
        for fault in broken:
            make(one, fault)
    with world_at(open_tmp_path / "home", None) as two:
        assert two.world.broken == set(broken)
        for fault in broken:
            assert EFFECTS[fault].look(two) == EFFECTS[fault].broken
        mend(two)
        assert portrait(two) == whole

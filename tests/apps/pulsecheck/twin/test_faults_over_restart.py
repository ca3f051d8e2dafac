"""What is broken stays broken over a restart of the world, and can be mended by the one that goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.pulsecheck.twin import TWIN
from services.sandbox.control_server import control_app
from services.sandbox.images import PROJECT
from services.sandbox.world import World
from services.sandbox.world_memory import Kind
from tests.apps.pulsecheck.twin.faulty_twin import FaultyTwin
from tests.campaign import only_in_full
from tests.conftest import open_folder
from tests.services.sandbox.loop_thread import LoopThread
from tests.services.sandbox.twin_world import TwinWorld

BROKEN = (
    "stats-wrong",
    "tiers-wrong",
    "usage-stale",
    "column-type-changed",
    "app-on-other-database",
    "our-database-login-rejected",
    "table-locked",
)


@contextmanager
def started(home: Path, kind: Kind | None) -> Iterator[FaultyTwin]:
    thread = LoopThread()
    world = World(home, TWIN, root=PROJECT, environ=os.environ, control=control_app)
    try:
        thread.run(world.start(kind), timeout_s=60)
        one = FaultyTwin(TwinWorld(thread, world))
        yield one
        one.app.close()
    finally:
        thread.run(world.close())
        thread.close()


@pytest.mark.campaign
@only_in_full
def test_faults_live_on_over_a_restart_and_are_mended_after_it() -> None:
    with open_folder() as home:
        with started(home, "after") as first:
            before = first.traces()
            first.broken(*BROKEN)
        with started(home, None) as second:
            assert second.world.broken == set(BROKEN)
            assert not second.login_answers()
            second.mended("table-locked")
            assert second.stats().json()["total_entries"] == 0
            second.mended("app-on-other-database")
            assert second.stats().json()["total_entries"] == 10
            second.mended()
            assert second.login_answers()
            assert second.stats().json()["total_entries"] == second.own_entries()
            assert second.traces() == before

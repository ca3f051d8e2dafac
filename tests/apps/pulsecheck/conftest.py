"""A running sandbox with PulseCheck in it, and evidence made from its checks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.pulsecheck.twin.definition import TWIN
from services.app_definition import AppDefinition, load_app
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.runner import run_checks
from services.checks.score import Score, run_score
from services.database.connect import connect
from services.database.fingerprint import RowHash, row_hashes
from services.incidents.causes import causes_of
from services.incidents.diagnosis import Diagnosis, diagnose
from services.sandbox import control
from services.sandbox.postgres import OWNER
from services.sandbox.target_file import target_values
from services.settings import Target, load_settings
from services.verdict import Evidence
from tests.conftest import open_folder
from tests.lateness import in_time
from tests.services.sandbox.twin_world import TwinWorld, twin_world

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Pulse:
    """The sandbox as a target, and the ways to look at it and to break it."""

    home: Path
    app: AppDefinition

    @property
    def target(self) -> Target:
        return load_settings({"OPS_HOME": str(self.home)}, self.home).target("sandbox")

    @property
    def control(self) -> control.ControlClient:
        return control.client(self.home)

    def context(self, **changes: Any) -> CheckContext:
        target = self.target.model_copy(update=changes)
        return CheckContext.create(target, self.app, datetime.now(UTC))

    def look(self, *ids: str, context: CheckContext | None = None) -> dict[str, Evidence]:
        def once() -> dict[str, Evidence]:
            surroundings = context or self.context()
            found = run_checks(catalogue_of(self.app), ids, surroundings, surroundings.now)
            return {one.check_id: one for one in found}

        return in_time(once, lambda seen: seen.values())

    def score(self, **changes: Any) -> Score:
        return in_time(lambda: self.score_once(**changes), lambda seen: seen.evidence)

    def score_once(self, **changes: Any) -> Score:
        """The score of a world that is known to keep silent."""
        context = self.context(**changes)
        return run_score(self.app, context, context.now)

    def diagnose(self, evidence: Iterable[Evidence]) -> Diagnosis:
        return diagnose({one.check_id: one for one in evidence}, causes_of(self.app))

    def rows(self) -> dict[str, RowHash]:
        with self.database() as conn:
            return row_hashes(conn)

    def database(self) -> psycopg.Connection[Any]:
        assert self.target.deploy_url is not None
        return connect(self.target.deploy_url.get_secret_value())

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database() as conn:
            cursor = conn.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def running_pulse() -> Iterator[Pulse]:
    stop, ready = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def run(home: Path) -> None:
        try:
            control.start(home, TWIN, stop, root=ROOT, environ=os.environ, world="before", ready=lambda _: ready.set())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    with open_folder() as home:
        thread = threading.Thread(target=run, args=(home,), name="pulse-sandbox")
        thread.start()
        try:
            assert ready.wait(60)
            if failed:
                raise failed[0]
            yield Pulse(home, load_app("pulsecheck"))
        finally:
            stop.set()
            thread.join(30)


class Live:
    """A world of a test file's own, in which each build of the app can be made to serve."""

    def __init__(self, world: TwinWorld) -> None:
        self.world = world
        self.app = load_app("pulsecheck")
        self.target = Target.model_validate(target_values(world.world, "http://127.0.0.1:9"))

    def serve(self, commit: str) -> None:
        """The commit is deployed, and serves when this returns."""
        hosting = self.world.world.hosting

        async def push() -> None:
            hosting.deploy_commit(commit)
            await hosting.rest()

        if hosting.active is None or hosting.active.build.commit != commit:
            self.world.do(push)
        assert hosting.active is not None and hosting.active.build.commit == commit

    @contextmanager
    def broken(self, fault_id: str) -> Iterator[None]:
        """The fault holds in the block."""
        world = self.world.world
        self.world.thread.run(world.break_fault(fault_id), timeout_s=60)
        try:
            yield
        finally:
            self.world.thread.run(world.repair(fault_id), timeout_s=60)

    def context(self, **changes: Any) -> CheckContext:
        return CheckContext.create(self.target.model_copy(update=changes), self.app, datetime.now(UTC))

    def look(self, *ids: str, **changes: Any) -> dict[str, Evidence]:
        def once() -> dict[str, Evidence]:
            context = self.context(**changes)
            return {one.check_id: one for one in run_checks(catalogue_of(self.app), ids, context, context.now)}

        return in_time(once, lambda seen: seen.values())

    def rows(self) -> dict[str, RowHash]:
        with psycopg.connect(self.world.world.cluster.dsn(OWNER), autocommit=True) as conn:
            return row_hashes(conn)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.world.sql(statement, *values)


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    """A world after the release, of the test file's own."""
    with twin_world("after") as world:
        yield Live(world)


@pytest.fixture(scope="module")
def before(running_pulse: Pulse) -> Pulse:
    """The world before the release; the module must leave it as it was."""
    running_pulse.control.reset("before")
    return running_pulse


@pytest.fixture(scope="module")
def after(running_pulse: Pulse) -> Pulse:
    """The world with the release in; the module must leave it as it was."""
    running_pulse.control.reset("after")
    return running_pulse

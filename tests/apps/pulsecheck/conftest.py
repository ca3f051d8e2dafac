"""A running sandbox with PulseCheck in it, and evidence made from its checks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
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
from services.settings import Target, load_settings
from services.verdict import Evidence
from tests.conftest import open_folder

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
        surroundings = context or self.context()
        found = run_checks(catalogue_of(self.app), ids, surroundings, surroundings.now)
        return {one.check_id: one for one in found}

    def score(self, **changes: Any) -> Score:
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

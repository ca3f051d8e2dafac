"""A whole house as `make run` starts it: supervisor, sandbox, worker and web, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select as choose

from services.access.permissions import Actor, Role
from services.jobs.queue import Job, job
from services.settings import Settings, Target, load_settings
from services.store.database import Store
from services.store.tables import workers
from tests.migrated_store import fresh_store

ROOT = Path(__file__).resolve().parent.parent
READY = re.compile(r"Dashboard: (http://127\.0\.0\.1:\d+)")


@dataclass
class House:
    """url: of the dashboard; home: its OPS_HOME; store: the same store, opened by the test as well."""

    process: subprocess.Popen[str]
    url: str
    home: Path
    store: Store

    @property
    def environ(self) -> dict[str, str]:
        return {"OPS_HOME": str(self.home)}

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ, ROOT)

    @property
    def target(self) -> Target:
        return self.settings.target("sandbox")

    @property
    def operator(self) -> Actor:
        return Actor("test:operator", "Test Operator", Role.OPERATOR, "sandbox")

    @property
    def viewer(self) -> Actor:
        return Actor("test:viewer", "Test Viewer", Role.VIEWER, "sandbox")

    def database(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of the test's own, as the owner, for looking past the product."""
        assert self.target.deploy_url is not None
        return psycopg.connect(self.target.deploy_url.get_secret_value())

    def pid_of(self, part: str) -> int | None:
        """The process of a part ("web", "worker", "sandbox"), as the supervisor keeps it; None while there is none."""
        children: dict[str, int] = json.loads((self.home / "run.lock").read_text())["children"]
        return children.get(part)

    def worker_pid(self) -> int:
        """The worker that gave the newest sign of life."""
        with self.store.read() as tx:
            pid: int = tx.execute(choose(workers.c.pid).order_by(workers.c.started.desc()).limit(1)).scalar_one()
        return pid

    def wait_for_job(self, job_id: str, wait_s: float = 60) -> Job:
        wait_until(lambda: not job(self.store, job_id).active, wait_s, f"{job_id} to end")
        return job(self.store, job_id)


def now() -> datetime:
    return datetime.now(UTC)


def wait_until(happened: Callable[[], bool], wait_s: float, what: str) -> None:
    """Ask until it has happened; an AssertionError that names it when the time is over."""
    until = time.monotonic() + wait_s
    while not happened():
        assert time.monotonic() < until, f"waited {wait_s} s in vain for {what}"
        time.sleep(0.02)


@contextmanager
def whole_house(home: Path) -> Iterator[House]:
    """Start everything and stop it again as Ctrl-C does."""
    log = home / "run.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", "run"],
            cwd=ROOT,
            env={**os.environ, "OPS_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        url = _address(process, log)
        store = fresh_store(home / "store.sqlite3")
        try:
            yield House(process, url, home, store)
        finally:
            store.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A whole house for a file of tests."""
    home: Path = tmp_path_factory.mktemp("house")
    with whole_house(home) as started:
        yield started


def _address(process: subprocess.Popen[str], log: Path, wait_s: float = 60) -> str:
    assert process.stdout is not None
    until = time.monotonic() + wait_s
    said = ""
    while time.monotonic() < until and process.poll() is None:
        if select.select([process.stdout], [], [], 0.5)[0]:
            said += process.stdout.readline()
            found = READY.search(said)
            if found:
                return found.group(1)
    raise AssertionError(f"the dashboard did not start: {said}{log.read_text()}")

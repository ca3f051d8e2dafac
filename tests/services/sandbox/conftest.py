"""A small app for the sandbox's tests, and a world that runs it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.sandbox import control
from services.sandbox.control import ControlClient
from services.sandbox.twin_definition import Build, Twin, WorldAddresses
from services.settings import Target, load_settings
from tests.conftest import open_folder

ROOT = Path(__file__).resolve().parents[3]
OLD, NEW = "a" * 40, "b" * 40


def seed(conn: psycopg.Connection, anchor: datetime, number: int) -> None:
    conn.execute("CREATE TABLE notes (id int PRIMARY KEY, body text, written timestamptz)")
    conn.execute("INSERT INTO notes SELECT n, 'note ' || n, %s FROM generate_series(1, 1500) n", [anchor])
    conn.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO anon, service_role")


def variables(addresses: WorldAddresses) -> Mapping[str, str]:
    return {"SUPABASE_URL": addresses.supabase_url, "SERVICE_KEY": addresses.supabase_service_key}


def tiny_twin(release: Path) -> Twin:
    deploy = release / "deploy"
    deploy.mkdir(parents=True, exist_ok=True)
    (deploy / "010_released.sql").write_text("CREATE TABLE released (n int); GRANT SELECT ON released TO service_role;")
    module = "tests.services.sandbox.tiny_build"
    builds = (Build(OLD, "old", module), Build(NEW, "new", module))
    return Twin("tiny", builds, OLD, NEW, seed, release, variables)


@dataclass
class RunningWorld:
    """A world that runs in a thread of this process."""

    home: Path
    twin: Twin
    environ: Mapping[str, str]
    stop: threading.Event = field(default_factory=threading.Event)
    told: list[dict[str, Any]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def client(self) -> ControlClient:
        return control.client(self.home)

    @property
    def target(self) -> Target:
        return load_settings({"OPS_HOME": str(self.home)}, self.home).target("sandbox")


@contextmanager
def running_world(
    home: Path, *, world: Any = None, environ: Mapping[str, str] | None = None, root: Path = ROOT
) -> Iterator[RunningWorld]:
    """A world on this home while the block runs. Raises what its start raised."""
    one = RunningWorld(home, tiny_twin(home / "release"), environ if environ is not None else os.environ)
    ready = threading.Event()

    def tell(status: dict[str, Any]) -> None:
        one.told.append(status)
        ready.set()

    def run() -> None:
        try:
            control.start(home, one.twin, one.stop, root=root, environ=one.environ, world=world, ready=tell)
        except BaseException as error:
            one.errors.append(error)
        finally:
            ready.set()

    began = time.perf_counter()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        one.took_s = time.perf_counter() - began
        if one.errors:
            raise one.errors[0]
        yield one
    finally:
        one.stop.set()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def world() -> Iterator[RunningWorld]:
    """A world `before`, with PostgREST where it is installed; tests that change it reset it."""
    with open_folder() as home, running_world(home, world="before") as one:
        yield one

"""A running world with the sandbox's PulseCheck in it, driven from plain tests over real HTTP."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psycopg

from apps.pulsecheck.twin import TWIN
from services.sandbox.control_server import control_app
from services.sandbox.images import PROJECT
from services.sandbox.postgres import OWNER
from services.sandbox.world import Kind, World
from tests.services.sandbox.loop_thread import LoopThread

JOURNAL = "/api/v1/journal"
ADMIN = "/api/v1/admin/beta-metrics"
TIRED = {
    "content": "Quarterly numbers wore me out completely",
    "mood_level": 3,
    "energy_level": 2,
    "stress_level": 8,
}
HAPPY = {"content": "Paddled across the lake with Robin", "mood_level": 9, "energy_level": 8, "stress_level": 2}


class TwinWorld:
    """The world, a client of the app in it, and its database."""

    def __init__(self, thread: LoopThread, world: World) -> None:
        self.thread = thread
        self.world = world
        self.app = httpx.Client(base_url=world.addresses.app_url, timeout=15.0, trust_env=False)

    def do(self, action: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Call something in the world's loop, as its own control would: nothing else changes it meanwhile."""

        async def work() -> Any:
            async with self.world.changing:
                return await action(*arguments)

        return self.thread.run(work(), timeout_s=60)

    def entry(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.app.post(f"{JOURNAL}/entries", json=body or TIRED)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def pulse(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The pulse of a new entry."""
        answer = self.app.get(f"{JOURNAL}/entries/{self.entry(body)['id']}/pulse")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def daily(self) -> httpx.Response:
        return self.app.get(f"{ADMIN}/daily")

    def paths(self) -> int:
        return len(self.app.get("/openapi.json").json()["paths"])

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.world.cluster.dsn(OWNER), autocommit=True) as conn:
            cursor = conn.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def history(self) -> list[tuple[str, str]]:
        """(build, state) of each deployment, oldest first."""
        name = {TWIN.serving_before: "old", TWIN.pushed: "beta"}
        return [(name[one.build.commit], one.status.value) for one in self.world.hosting.deployments]

    def forget_usage(self) -> None:
        self.sql("delete from ai_usage_logs")


@contextmanager
def twin_world(kind: Kind) -> Iterator[TwinWorld]:
    """A fresh world of the kind while the block runs.

    Its folder is not pytest's: another session that starts meanwhile closes those to the account of Postgres.
    """
    with TemporaryDirectory(prefix="ops-twin-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with world_at(Path(folder) / "home", kind) as one:
            yield one


@contextmanager
def world_at(home: Path, kind: Kind | None) -> Iterator[TwinWorld]:
    """A world of this home while the block runs; kind None: on with the one that is there."""
    thread = LoopThread()
    world = World(home, TWIN, root=PROJECT, environ=os.environ, control=control_app)
    try:
        thread.run(world.start(kind), timeout_s=60)
        one = TwinWorld(thread, world)
        try:
            yield one
        finally:
            one.app.close()
    finally:
        thread.run(world.close())
        thread.close()

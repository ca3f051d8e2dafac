"""A world that is broken, looked at by every check, and mended again; between two faults it has a quiet day."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from apps.pulsecheck.twin import seed
from apps.pulsecheck.twin.definition import TWIN
from services.app_definition import AppDefinition, load_app
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.registry import Catalogue
from services.checks.runner import run_checks
from services.database.deployment.deploy import deploy
from services.jobs.checking import check_context
from services.releases.bundle import Release, load_release
from services.sandbox.fault import Fault
from services.sandbox.faults import faults_of
from services.sandbox.hosting import AT_ONCE
from services.sandbox.images import PROJECT
from services.sandbox.keys import write_json
from services.sandbox.postgres import OWNER
from services.sandbox.target_file import target_values
from services.sandbox.world import Kind
from services.settings import Target, load_settings
from services.store.database import Store
from services.verdict import Evidence
from tests.migrated_store import fresh_store
from tests.services.sandbox.twin_world import TwinWorld, twin_world

# What people do with the app all the time: they read, so that nothing of theirs has to be removed again.
USED = ("/api/v1/journal/entries", "/api/v1/journal/stats", "/api/v1/users/me", "/api/v1/admin/beta-metrics/daily")
VISITS = 4
PATIENCE_S = 6.5  # longer than the slowest answer that is one
# Seconds for a whole run of checks; beyond the 13 of a page, since the matrix asks what a check says and not how soon.
RUN_S = 60.0
QUICK = (
    "api-answers",
    "route-inventory",
    "stats-answer",
    "database-direct",
    "database-rest",
    "openai-key",
    "supabase-project",
    "deployment-state",
    "env-names",
)

__all__ = ["QUICK", "TWIN", "Evidences", "Stage", "stage"]

WRITTEN_TO = ("journal_entries", "ai_usage_logs", "ai_feedback", "daily_usage_quotas")

Evidences = dict[str, Evidence]


@dataclass
class Stage:
    """One world, its target as the product reads it, and its app's whole catalogue of checks."""

    one: TwinWorld
    kind: Kind
    home: Path
    store: Store
    app: AppDefinition

    @property
    def target(self) -> Target:
        return load_settings({"OPS_HOME": str(self.home)}, self.home).target("sandbox")

    @property
    def release(self) -> Release:
        assert self.app.default_release is not None
        return load_release(self.app.default_release, root=self.app.folder / "releases")

    @property
    def catalogue(self) -> Catalogue:
        return catalogue_of(self.app)

    @property
    def faults(self) -> Mapping[str, Fault]:
        return faults_of(self.one.world.twin)

    def context(self) -> CheckContext:
        """As a job makes it, with the release rehearsed an instant ago."""
        now = datetime.now(UTC)
        release = self.release
        rehearsal = {"verdict": "pass", "content_hash": release.content_hash, "finished": now.isoformat()}
        return check_context(self.store, self.target, self.app, now, rehearsal=rehearsal)

    def look(self, *ids: str) -> Evidences:
        """Evidence of these checks, by default of all."""
        context = self.context()
        catalogue = self.catalogue
        found = run_checks(catalogue, ids or catalogue.ids, context, context.now, within_s=RUN_S)
        return {one.check_id: one for one in found}

    def look_when_broken(self, fault_id: str) -> Evidences:
        """What every check says while the world has this fault, and people go on using the app."""
        # Who waited for an answer while the world was broken before, has had it only afterwards.
        self.one.world.hosting.edge.requests.clear()
        self.people_come()
        with self.broken(fault_id):
            self.people_come()
            return self.look()

    @contextmanager
    def broken(self, fault_id: str) -> Iterator[None]:
        """The fault holds in the block. Afterwards it is undone and what it left in the platform's memory is gone."""
        world = self.one.world
        serving = world.hosting.active
        said = len(serving.runtime_log) if serving else 0
        known = list(world.hosting.deployments)
        self.one.thread.run(world.break_fault(fault_id), timeout_s=90)
        try:
            yield
        finally:
            self.one.thread.run(world.repair(fault_id), timeout_s=90)
            if serving is not None:
                del serving.runtime_log[said:]
            self.one.thread.run(self._forget(known))

    async def _forget(self, known: list[Any]) -> None:
        """A quiet day goes by: the hour's requests and errors and the deployments that came and went are history."""
        os.truncate(self.one.world.cluster.server.log, 0)
        hosting = self.one.world.hosting
        hosting.edge.requests.clear()
        hosting.deployments[:] = [
            one for one in hosting.deployments if one is hosting.active or (one in known and one is not known[-1])
        ]

    def heals(self, baseline: Evidences, ids: Sequence[str]) -> bool:
        """Whether a few checks say again what they said of the healthy world; REST may need a moment to come back."""
        for _ in range(3):
            self.people_come()
            seen = self.look(*ids)
            if all(seen[check].verdict is baseline[check].verdict for check in ids):
                return True
        return False

    def differs_for_good(self, baseline: Evidences) -> dict[str, str]:
        """What the checks say otherwise than of the healthy world, however often they look; with their reasons.

        A machine that is out of breath can make the app give up on an answer once; what a fault left behind stays.
        """
        different: dict[str, str] = {}
        for _ in range(3):
            self.people_come()
            seen = self.look()
            different = {
                check: f"{seen[check].verdict.value}, not {one.verdict.value}: {seen[check].summary}"
                for check, one in baseline.items()
                if seen[check].verdict is not one.verdict
            }
            if not different:
                return different
        return different

    def begin_anew(self) -> None:
        """A fresh world in place of one that did not heal."""
        self.one.thread.run(self.one.world.reset(self.kind), timeout_s=90)
        if self.kind == "after":
            self.release_it()

    def release_it(self) -> None:
        """Deploy the release with our own deploy, which leaves its receipt."""
        release = self.release
        done = deploy(
            self.one.world.cluster.dsn(OWNER),
            release.deploy,
            release.verify,
            release_id=release.id,
            plan_hash=release.content_hash,
            actor="matrix",
        )
        assert done.applied, done.summary

    def people_come(self) -> None:
        """People use the app, however it answers."""
        self.one.thread.run(self._use())

    async def _use(self) -> None:
        address = self.one.world.addresses.app_url
        async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_S, trust_env=False) as client:
            visits = [client.get(path) for path in USED for _ in range(VISITS)]
            await asyncio.gather(*visits, return_exceptions=True)

    def names(self) -> dict[str, str]:
        """What is another one in each world, and what to call it."""
        ports = self.one.world.ports.numbers
        numbered = {f"{port}": f"{9001 + place}" for place, port in enumerate(ports[name] for name in sorted(ports))}
        places = {str(self.home): "home", str(PROJECT): "code", sys.prefix: "python", sys.base_prefix: "python"}
        return {**numbered, self.one.world.keys.project_ref: "project", **places}

    def secrets(self) -> list[str]:
        """Every secret of this world, and the words with which journal entries begin."""
        keys = self.one.world.keys
        values = [
            value
            for name, value in keys.model_dump().items()
            if isinstance(value, str) and name not in ("name", "project_ref")
        ]
        return [*values, *keys.passwords.values(), *(one.password for one in keys.accounts), *seed._OPENINGS]

    def rows(self) -> dict[str, int]:
        """How many rows each table has that our checks write to."""
        return {name: int(self.one.sql(f"select count(*) from public.{name}")[0][0]) for name in WRITTEN_TO}

    def left_behind(self, rows: dict[str, int]) -> dict[str, int]:
        """Rows that are too many or too few, when the next run has swept: what a broken world kept is taken then."""
        if self.rows() != rows:
            self.look("journal-roundtrip")
        return {name: count - rows[name] for name, count in self.rows().items() if count != rows[name]}


@contextmanager
def stage(kind: Kind) -> Iterator[Stage]:
    """A world of the kind; in the world `after`, the release was deployed by our own deploy."""
    with twin_world(kind) as one, TemporaryDirectory(prefix="ops-matrix-") as folder:
        home = Path(folder)
        world = one.world
        world.hosting.pace = AT_ONCE
        address = f"{world.ports.url('control')}/{world.keys.control_token}"
        write_json(home / "targets" / "sandbox.json", target_values(world, address))
        store = fresh_store(home / "store.sqlite3")
        try:
            made = Stage(one, kind, home, store, load_app(world.twin.app))
            if kind == "after":
                made.release_it()
            yield made
        finally:
            store.close()

"""A home of one's own whose targets are made and connected, a healthy world, and somebody who may connect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from services.access.permissions import Actor, Role
from services.connecting.grants import LevelState, create_target, grant, keep_credentials, level_states, take_back
from services.connecting.level_proofs import keep_proof
from services.connecting.proofs import Proof
from services.settings import Level, Settings, Target, load_settings
from services.store.database import Store, open_store
from services.verdict import Verdict
from tests.matrix.stage import Stage, stage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Actor("u-ada", "Ada Admin", Role.ADMIN, "prod")
CONSOLE = Actor("cli:ada", "ada (command line)", Role.ADMIN, "prod")
URL = "https://app.example.com"


@dataclass
class Home:
    """A home, its store, and the steps of connecting as short words; settings are read anew each time."""

    folder: Path
    store: Store
    store_url: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        given = {"OPS_HOME": str(self.folder), "OPS_STORE_URL": self.store_url, **self.environ}
        return load_settings(given, self.folder)

    @property
    def target(self) -> Target:
        return self.settings.target("prod")

    @property
    def file(self) -> Path:
        return self.folder / "targets" / "prod.json"

    def make(self, values: dict[str, Any] | None = None, *, actor: Actor = CONSOLE, name: str = "prod") -> None:
        create_target(self.store, self.settings, actor, name, values or {"app_url": URL}, NOON)

    def keep(self, *, actor: Actor = ADA, **values: Any) -> tuple[Level, ...]:
        return keep_credentials(self.store, self.settings, self.target, actor, values, NOON)

    def proved(self, level: Level, verdict: Verdict = Verdict.PASS, at: datetime = NOON) -> None:
        """A proof of the level with the credentials of now, as the worker would have kept it."""
        with self.store.write() as tx:
            keep_proof(tx, self.folder, self.target, Proof(level, verdict, "Seen.", ()), ADA.id, at)

    def grant(self, level: Level, *, actor: Actor = ADA, at: datetime = NOON) -> None:
        grant(self.store, self.settings, self.target, level, actor, at)

    def take_back(self, level: Level, *, actor: Actor = ADA) -> tuple[str, ...]:
        return take_back(self.store, self.settings, self.target, level, actor, NOON)

    def state(self, level: Level, at: datetime = NOON) -> LevelState:
        states = level_states(self.store, self.settings, self.target, at)
        return next(one for one in states if one.level is level)


@pytest.fixture(scope="package")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with all its tables, to be copied: making them takes longer than a test."""
    path = tmp_path_factory.mktemp("migrated") / "store.sqlite3"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def store_url(tmp_path: Path, migrated: Path) -> str:
    copyfile(migrated, tmp_path / "store.sqlite3")
    return f"sqlite:///{tmp_path / 'store.sqlite3'}"


@pytest.fixture
def home(tmp_path: Path, store: Store, store_url: str) -> Home:
    return Home(tmp_path / "home", store, store_url)


@pytest.fixture(scope="package")
def before() -> Iterator[Stage]:
    """A healthy world before the release."""
    with stage("before") as found:
        yield found

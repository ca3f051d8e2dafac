"""Fixtures of the core: the store on both databases, a clock one can turn, actors and a target."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from services.access.permissions import Actor, Role
from services.database.server import Server
from services.settings import Level, Settings, Target
from services.store.database import Store, open_store
from tests.migrated_store import migrated_file

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class TurnableClock:
    """A clock that stands still until a test turns it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def turn(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Server) -> str:
    """The name of a database with an empty store in it, to be cloned."""
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE migrated_store TEMPLATE template0")
    open_store(postgres_server.dsn("migrated_store")).close()
    return "migrated_store"


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store that is migrated already."""
    if request.param == "sqlite":
        return migrated_file(tmp_path / "store.sqlite3")
    url: str = request.getfixturevalue("make_database")(request.getfixturevalue("migrated_template"))
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def target() -> Target:
    owner = SecretStr("postgresql://owner@127.0.0.1:1/nowhere")
    return Target(name="staging", production=False, levels=frozenset(Level), deploy_url=owner)


@pytest.fixture
def settings(target: Target, tmp_path: Path, store_url: str) -> Settings:
    return Settings(home=tmp_path, store_url=store_url, targets={"staging": target})


@pytest.fixture
def operator() -> Actor:
    return Actor("u-operator", "Olga Operator", Role.OPERATOR, "staging")


@pytest.fixture
def viewer() -> Actor:
    return Actor("u-viewer", "Vera Viewer", Role.VIEWER, "staging")

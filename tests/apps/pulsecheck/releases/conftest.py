"""Fixtures of the beta release: the release itself, and databases of every shape of production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.database.server import Server, scratch_server
from services.releases.bundle import Release, load_release
from tests.apps.pulsecheck.releases.production import FOLDER, Database, Shape, on_plain_server

Production = Callable[[Shape], Database]


@pytest.fixture(scope="session")
def release() -> Release:
    return load_release("beta-optimization", root=FOLDER)


@pytest.fixture
def production(make_supabase_database: Callable[[], Any], postgres_server: Server) -> Production:
    """`production(Shape(...))` makes a Supabase-like database of that shape."""

    def make(shape: Shape) -> Database:
        made = make_supabase_database()
        database = Database(made.owner, made.admin, postgres_server)
        database.run(shape.sql())
        return database

    return make


@pytest.fixture
def plain_database() -> Iterator[Database]:
    """Plain Postgres: none of Supabase's roles exist in its cluster."""
    with scratch_server() as server:
        yield on_plain_server(server)

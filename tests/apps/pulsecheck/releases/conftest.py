"""Fixtures of the beta release: the release itself, and databases of every shape of production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from services.database.server import Server, scratch_server
from services.releases.bundle import Release, load_release
from services.sandbox.postgres import OWNER, Cluster
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


@pytest.fixture(scope="session")
def deployed_database(
    supabase_cluster: Cluster, supabase_template: str, postgres_server: Server, release: Release
) -> Iterator[Database]:
    """One database with the release in it, for tests that roll back whatever they do."""
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE beta_deployed TEMPLATE {supabase_template} OWNER {OWNER}".encode())
        database = Database(
            supabase_cluster.dsn(OWNER, "beta_deployed"), postgres_server.dsn("beta_deployed"), postgres_server
        )
        database.run(Shape("varchar(255)", "level", rows=True, rights=False).sql())
        database.run(release.deploy)
        yield database
        admin.execute("DROP DATABASE beta_deployed WITH (FORCE)")


@pytest.fixture
def plain_database() -> Iterator[Database]:
    """Plain Postgres: none of Supabase's roles exist in its cluster."""
    with scratch_server() as server:
        yield on_plain_server(server)

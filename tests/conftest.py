"""Fixtures every room may use: one scratch Postgres server for the session, and fresh databases on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import psycopg
import pytest
from psycopg import sql

from services.database.server import Server, scratch_server

MakeDatabase = Callable[..., str]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One Postgres of the newest kind found, for the whole session; `.dsn(name)` is the superuser's address."""
    with scratch_server() as server:
        yield server


@pytest.fixture
def make_database(postgres_server: Server) -> Iterator[MakeDatabase]:
    """`make_database(template="template0", owner=None)` makes a fresh database and returns the superuser's address."""
    made: list[str] = []
    numbers = count(1)
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:

        def make(template: str = "template0", owner: str | None = None) -> str:
            name = f"test_{next(numbers)}_{len(made)}"
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(owner or admin.info.user)
            )
            admin.execute(statement)
            made.append(name)
            return postgres_server.dsn(name)

        yield make
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

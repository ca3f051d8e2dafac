"""A server with the roles of the rich schema, and fresh databases on it, as a fixture for two folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from services.database.server import Server, scratch_server
from tests.campaign import only_in_full
from tests.services.connecting.other_servers import binaries_of
from tests.services.database.definitions.rich_schema import ROLES

OTHERS = [pytest.param(major, marks=only_in_full) for major in (15, 16, 18)]


class Databases:
    """Fresh databases on one server, each dropped when the test ends."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._numbers = count(1)

    @contextmanager
    def fresh(self, schema: str = "", template: str = "template0") -> Iterator[psycopg.Connection[Any]]:
        """A session on a new database with that schema."""
        name = f"definitions_{next(self._numbers)}"
        with connect(self.server.dsn()) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            try:
                with connect(self.server.dsn(name)) as conn:
                    if schema:
                        conn.execute(schema)
                    yield conn
            finally:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session", params=[None, *OTHERS], ids=lambda major: f"postgres-{major or 'usual'}")
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Databases on the session's server, and in the full campaign on one of every other major too."""
    if request.param is None:
        yield from _with_roles(request.getfixturevalue("postgres_server"))
        return
    with scratch_server(binaries=binaries_of(request.param)) as server:
        yield from _with_roles(server)


def _with_roles(server: Server) -> Iterator[Databases]:
    with connect(server.dsn()) as admin:
        for role in ROLES:
            with suppress(psycopg.errors.DuplicateObject):
                admin.execute(f"CREATE ROLE {role}")
        yield Databases(server)
        for role in ROLES:
            admin.execute(f"DROP ROLE IF EXISTS {role}")

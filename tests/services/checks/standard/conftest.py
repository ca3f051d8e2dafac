"""A database of a small app, and the context in which a check looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from services.app_definition import AppDefinition, DeclaredTable
from services.checks.context import CheckContext
from services.database.connect import connect
from services.releases.bundle import Release, release_from_files
from services.settings import Level, Target
from tests.pooler import poolers

TABLES = """
create table people (id uuid primary key default gen_random_uuid(), email text not null unique,
                     age int check (age > 17));
create table notes (id bigint generated always as identity primary key,
                    person uuid not null references people (id), body text not null);
insert into people (email, age) select 'person' || n || '@example.com', 20 + n from generate_series(1, 5) n;
insert into notes (person, body) select id, 'something private' from people;
"""
DECLARED = (
    DeclaredTable(name="people", build="one", columns={"id": ("uuid",)}),
    DeclaredTable(name="notes", build="one", columns={"id": ("bigint",)}),
)


class SmallApp:
    """A database of its own, by the owner's address and the read-only role's."""

    def __init__(self, owner: str, read_only: str) -> None:
        self.owner = owner
        self.read_only = read_only
        self.run(TABLES)

    def run(self, statements: str) -> None:
        with connect(self.owner) as conn:
            conn.execute(statements.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.owner) as conn:
            return conn.execute(query.encode()).fetchall()

    def context(self, release: str | None = None, **target: Any) -> CheckContext:
        """What a check looks at; release: the SQL of a release under way; target: other settings."""
        values = {"database_url": self.read_only, "deploy_url": self.owner, "levels": frozenset(Level)}
        app = AppDefinition(name="small", title="Small", tables=DECLARED, default_release="r" if release else "")
        made: Release | None = release_from_files({"r.sql": release.encode()}) if release else None
        found = Target.model_validate({"name": "staging", "production": False, **values, **target})
        return CheckContext.create(found, app, datetime.now(UTC), release=made)


@pytest.fixture
def small_app(make_supabase_database: Callable[[], Any]) -> SmallApp:
    made = make_supabase_database()
    return SmallApp(made.owner, made.read_only)


@pytest.fixture
def session(small_app: SmallApp) -> Iterator[psycopg.Connection[Any]]:
    """Another session of the owner, which a test may leave in the middle of something."""
    with connect(small_app.owner, application_name="somebody else") as conn:
        yield conn


@pytest.fixture
def pooler(small_app: SmallApp) -> Iterator[Callable[[str], str]]:
    """`pooler(mode)` starts pgbouncer in front of the small app's database and returns its address."""
    with poolers(small_app.owner) as start:
        yield start

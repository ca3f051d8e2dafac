"""Fixtures every room may use: one scratch Postgres for the session, and fresh databases, plain or Supabase-like."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
import structlog
from psycopg import sql

from services.database.server import Server, scratch_server
from services.sandbox.postgres import LOGIN_ROLES, OWNER, READ_ONLY, SKELETON, Cluster
from tests.campaign import is_campaign
from tests.chromium import browser

__all__ = ["browser"]

MakeDatabase = Callable[..., str]


LONGEST = (
    "journey",
    "faults",
    "browser",
    "matrix",
    "dashboard/drill",
    "dashboard/processes",
    "apps/pulsecheck",
    "services/sandbox",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no process is left with one of them at the end.

    What a campaign runs in full is marked so before anything is selected by its marks.
    """

    def rank(item: pytest.Item) -> int:
        place = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((number for number, name in enumerate(LONGEST) if place.startswith(name)), len(LONGEST))

    items.sort(key=rank)
    for item in items:
        if is_campaign(item):
            item.add_marker(pytest.mark.campaign)


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: no collection of garbage looks through it again."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class SupabaseDatabase:
    """Addresses of one Supabase-like database: as the superuser, as the owner `postgres`, as the read-only role."""

    name: str
    admin: str
    owner: str
    read_only: str


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder of its own that other accounts may walk through, removed afterwards.

    Not below pytest's: each start of a pytest closes the folder above all of them to others, where a server that was
    started as an unprivileged account still runs.
    """
    with tempfile.TemporaryDirectory(prefix="ops-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@pytest.fixture(autouse=True)
def no_logs_of_others() -> Iterator[None]:
    """What a command that ran in this process logged to is closed after its test: the next one does not write there.

    An exception is logged as Python writes it: structlog's own way shows every variable, which takes seconds.
    """
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    yield
    structlog.reset_defaults()


@pytest.fixture
def open_tmp_path() -> Iterator[Path]:
    """A fresh folder that a server run as an unprivileged account reaches."""
    with open_folder() as folder:
        yield folder


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
            name = f"test_{next(numbers)}"
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(owner or admin.info.user)
            )
            admin.execute(statement)
            made.append(name)
            return postgres_server.dsn(name)

        yield make
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def supabase_cluster(postgres_server: Server) -> Cluster:
    """The session's server with Supabase's roles; `.dsn(role, database)` for postgres, authenticator, read-only."""
    cluster = Cluster(postgres_server, {role: f"{role}-pw" for role in LOGIN_ROLES})
    cluster.prepare()
    return cluster


@pytest.fixture(scope="session")
def supabase_template(supabase_cluster: Cluster) -> str:
    """The name of an empty Supabase-like database, to be cloned: `make_database(supabase_template, "postgres")`."""
    return SKELETON


@pytest.fixture
def make_supabase_database(
    make_database: MakeDatabase, supabase_cluster: Cluster, supabase_template: str
) -> Callable[[], SupabaseDatabase]:
    """`make_supabase_database()` clones an empty Supabase-like database for this test (about 40 ms)."""

    def make() -> SupabaseDatabase:
        admin = make_database(supabase_template, OWNER)
        name = admin.rsplit("/", 1)[1]
        return SupabaseDatabase(name, admin, supabase_cluster.dsn(OWNER, name), supabase_cluster.dsn(READ_ONLY, name))

    return make

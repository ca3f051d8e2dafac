"""Fixtures of the database room: a small production-like database, and what its owner's session sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from tests.services.database.app_database import APP, Owner


@pytest.fixture
def make_app(make_supabase_database: Callable[[], Any]) -> Iterator[Callable[[], Owner]]:
    """`make_app()` gives a fresh database with users and journal entries, as its owner `postgres`."""
    opened: list[Owner] = []

    def make() -> Owner:
        owner = Owner(make_supabase_database().owner)
        owner.run(APP)
        opened.append(owner)
        return owner

    yield make
    for owner in opened:
        owner.conn.close()


@pytest.fixture
def app(make_app: Callable[[], Owner]) -> Owner:
    return make_app()


@pytest.fixture
def blocker(app: Owner) -> Iterator[psycopg.Connection[Any]]:
    """A second session of the owner, inside a transaction."""
    with connect(app.url) as conn:
        conn.execute("BEGIN")
        yield conn
        conn.execute("ROLLBACK")

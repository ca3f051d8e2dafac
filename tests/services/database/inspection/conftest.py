"""What inspections are tried on: a small app with people, notes, a profile for each sign-up, and rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from services.database.inspection.inspect import Inspection, inspect_change
from services.sandbox.postgres import Cluster
from tests.services.database.inspection.change import BASE, Change


@pytest.fixture(scope="package")
def base(supabase_cluster: Cluster, supabase_template: str) -> Iterator[str]:
    """The name of a database with the app in it, to be cloned."""
    name = "inspected"
    with psycopg.connect(supabase_cluster.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {supabase_template} OWNER postgres")
        with psycopg.connect(supabase_cluster.server.dsn(name), autocommit=True) as conn:
            conn.execute(BASE)
        yield name
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="package")
def change(base: str, supabase_cluster: Cluster) -> Iterator[Change]:
    with Change(supabase_cluster, base) as made:
        yield made


@pytest.fixture(scope="package")
def changed_once(change: Change) -> Callable[..., Inspection]:
    """`changed_once(sql, first="")` runs `first` on both databases and `sql` on one, and inspects the difference."""

    def inspected(sql: str, first: str = "", **more: Any) -> Inspection:
        untouched, after = change.databases(first, sql)
        return inspect_change(untouched, after, **more)

    return inspected


@pytest.fixture(scope="package")
def last_changed(change: Change) -> Callable[[], str]:
    """`last_changed()` gives the superuser's address of the database that was changed last."""
    return lambda: change.last

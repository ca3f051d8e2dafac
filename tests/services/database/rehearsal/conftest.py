"""One shadow of the small app with all its rows, for the many rehearsals of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from services.database.rehearsal.shadow import Shadow, shadow
from services.database.server import Server
from tests.services.database.app_database import APP


@pytest.fixture(scope="session")
def app_shadow(postgres_server: Server, supabase_cluster, supabase_template) -> Iterator[Shadow]:
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE rehearsed TEMPLATE {supabase_template} OWNER postgres")
        with psycopg.connect(supabase_cluster.dsn("postgres", "rehearsed"), autocommit=True) as owner:
            owner.execute(APP)
        with shadow(supabase_cluster.dsn("postgres", "rehearsed"), rows="all") as copy:
            assert copy.unlike == []
            yield copy
        admin.execute("DROP DATABASE rehearsed WITH (FORCE)")

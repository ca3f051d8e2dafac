"""A Supabase project of the sandbox, served to tests from a thread of its own, with a few tables in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions

from services.database.server import Server
from services.sandbox.keys import Keys, load_keys
from services.sandbox.postgres import LOGIN_ROLES, Cluster
from services.sandbox.postgrest import PostgRest, find_postgrest
from services.sandbox.serving import Ports, Serving
from services.sandbox.supabase import supabase_app
from services.sandbox.supabase_state import SupabaseState

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
SCHEMA = """
CREATE TABLE notes (
    id int PRIMARY KEY,
    owner uuid,
    body text NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    extra jsonb,
    stars numeric NOT NULL DEFAULT 1.5
);
INSERT INTO notes (id, body) SELECT n, 'note ' || n FROM generate_series(1, 1200) n;
CREATE TABLE secret (id int PRIMARY KEY, owner uuid DEFAULT auth.uid());
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret TO authenticated USING (owner = auth.uid()) WITH CHECK (owner = auth.uid());
INSERT INTO secret VALUES (1, NULL);
CREATE TABLE closed (id int);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes, secret TO anon, authenticated, service_role;
CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b';
CREATE FUNCTION first_notes(many int) RETURNS SETOF notes LANGUAGE sql AS 'SELECT * FROM notes ORDER BY id LIMIT many';
CREATE FUNCTION slowly() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(20)';
CREATE FUNCTION complain() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no such tier'; END $$;
"""


def seed(conn: psycopg.Connection, anchor: datetime, number: int) -> None:
    conn.execute(SCHEMA)


class Project:
    """A Supabase project served by a thread of its own."""

    def __init__(self, cluster: Cluster, keys: Keys, folder: Path, real: bool) -> None:
        self.cluster, self.keys, self.now = cluster, keys, NOW
        self._folder, self._real = folder, real
        self._clients: list[httpx.Client] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)

    async def _start(self) -> None:
        ports = Ports(self._folder / "ports.json", ("supabase", "rest"), {})
        self.url = ports.url("supabase")
        program = find_postgrest(ROOT) if self._real else None
        self._rest = program and PostgRest(
            program,
            port=ports.release("rest"),
            database=self.cluster.dsn("authenticator"),
            jwt_secret=self.keys.jwt_secret,
            log=self._folder / "postgrest.log",
        )
        if self._rest:
            await self._rest.start()
        rest_url = self._rest.url if self._rest else None
        self.state = SupabaseState(self.keys, self.url, lambda: self.cluster, rest_url, lambda: self.now)
        self._serving = Serving(supabase_app(self.state), ports.take("supabase"))
        ports.close()

    def close(self) -> None:
        for http in self._clients:
            http.close()
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        await self._serving.close()
        await self.state.close()
        if self._rest:
            await self._rest.stop()

    def client(self, key: str) -> Client:
        http = httpx.Client(trust_env=False, timeout=15)
        self._clients.append(http)
        options = SyncClientOptions(persist_session=False, auto_refresh_token=False, httpx_client=http)
        return create_client(self.url, key, options=options)

    def call(self, method: str, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {"apikey": key} if key else {}
        headers.update(options.pop("headers", {}))
        with httpx.Client(trust_env=False, timeout=15) as client:
            return client.request(method, f"{self.url}{path}", headers=headers, **options)


@pytest.fixture(scope="module")
def cluster(supabase_cluster: Cluster) -> Iterator[Cluster]:
    server: Server = supabase_cluster.server
    one = Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES}, "test_supabase")
    one.fill(seed, NOW, 1)
    yield one
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("DROP DATABASE test_supabase WITH (FORCE)")


@pytest.fixture(scope="module")
def stand_in(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("stand-in")
    one = Project(cluster, load_keys(folder / "keys.json", datetime.now(UTC)), folder, real=False)
    one.start()
    yield one
    one.close()

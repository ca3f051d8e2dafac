"""How long a deploy holds its transaction, beside psql running the same file in one transaction."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psycopg

from benchmarks.measures import Measure
from services.database.deployment.deploy import deploy
from services.database.script import Script
from services.database.server import Server, scratch_server
from services.database.verification import Query

ROUNDS = 5
LEAST_S = 2.0
FIRST_ROWS = 300_000
QUERIES = [
    Query("010_rows", "verify/010_rows.sql", "SELECT 1 WHERE NOT EXISTS (SELECT FROM events)", "Rows are there.")
]


def script(rows: int) -> str:
    """A change as releases make them: tables, rows, indexes, a view, a function; its time grows with `rows`."""
    return f"""
CREATE TABLE events (id bigint PRIMARY KEY, user_id text NOT NULL, at timestamptz NOT NULL, cost numeric);
INSERT INTO events SELECT n, 'user_' || n % 997, timestamptz '2026-01-01' + n * interval '1 second', n % 100 / 1000.0
FROM generate_series(1, {rows}) AS n;
CREATE INDEX events_by_user ON events (user_id, at);
CREATE INDEX events_by_time ON events (at);
ALTER TABLE events ADD COLUMN kind text NOT NULL DEFAULT 'chat';
UPDATE events SET kind = 'summary' WHERE id % 10 = 0;
ALTER TABLE events ADD CHECK (cost >= 0);
CREATE VIEW daily AS SELECT date_trunc('day', at) AS day, count(*), sum(cost) FROM events GROUP BY 1;
CREATE FUNCTION spent(who text) RETURNS numeric LANGUAGE sql STABLE SET search_path = '' AS
$$ SELECT coalesce(sum(cost), 0) FROM public.events WHERE user_id = who $$;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON events FOR SELECT USING (user_id = current_user);
"""


def measure_deploys(folder: Path) -> list[Measure]:
    """BEGIN to COMMIT, verification and receipt included, beside `psql -1 -f`, in turns on fresh databases."""
    with scratch_server() as server:
        rows = FIRST_ROWS
        while (took := min(_by_psql(server, folder, rows) for _ in range(2))) < LEAST_S:
            rows = int(rows * max(1.2, 1.3 * LEAST_S / took))
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            theirs.append(_by_psql(server, folder, rows))
            ours.append(_by_deploy(server, rows))
    what = f"deploy, BEGIN to COMMIT ({rows:,} rows)"
    return [Measure(what, "s", ours, theirs, "psql -1 -f of the same SQL", promise="ratio <= 1.2")]


def _by_psql(server: Server, folder: Path, rows: int) -> float:
    file = folder / "change.sql"
    file.write_text(script(rows), encoding="utf-8")
    url = _fresh(server)
    began = time.perf_counter()
    subprocess.run(
        [server.binaries.bin / "psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", file], check=True
    )
    return time.perf_counter() - began


def _by_deploy(server: Server, rows: int) -> float:
    done = deploy(
        _fresh(server),
        [Script("change.sql", script(rows))],
        QUERIES,
        release_id="bench",
        plan_hash="bench",
        actor="bench",
    )
    if not done.applied:
        raise RuntimeError(done.summary)
    return done.transaction_ms / 1000


def _fresh(server: Server) -> str:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        admin.execute("CREATE DATABASE bench")
    return server.dsn("bench")

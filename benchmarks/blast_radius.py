"""How long the walk of a blast radius takes, up to a thousand dependents on one table."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from benchmarks.measures import Measure
from services.database.connect import connect
from services.database.rollback.blast_radius import blast_radius
from services.database.script import Script
from services.database.server import scratch_server

ROUNDS = 20
DEPENDENTS = 1000
SCRIPT = [Script("rollback/010.sql", "DROP TABLE hub CASCADE;")]


def _make(conn: psycopg.Connection[Any]) -> None:
    """On one table: 600 views on views, 100 tables that refer to it, 100 triggers, 100 policies, 100 functions."""
    conn.execute("CREATE TABLE hub (id int PRIMARY KEY, note text)")
    conn.execute("CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    for number in range(600):
        source = "hub" if number % 6 == 0 else f"view_{number - 1}"
        conn.execute(f"CREATE VIEW view_{number} AS SELECT id FROM {source}")
    for number in range(100):
        conn.execute(f"CREATE TABLE child_{number} (id int REFERENCES hub)")
        conn.execute(f"CREATE TRIGGER on_{number} BEFORE INSERT ON hub FOR EACH ROW EXECUTE FUNCTION fire()")
        conn.execute(f"CREATE POLICY see_{number} ON hub USING (id > {number})")
        conn.execute(
            f"CREATE FUNCTION count_{number}() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM hub; END"
        )
        conn.execute(
            f"CREATE FUNCTION text_{number}() RETURNS bigint LANGUAGE plpgsql"
            " AS 'BEGIN RETURN (SELECT count(*) FROM hub); END'"
        )


def measure_blast_radius() -> list[Measure]:
    with scratch_server() as server:
        with connect(server.dsn()) as conn:
            _make(conn)
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            radius = blast_radius(server.dsn(), SCRIPT)
            times.append((time.perf_counter() - began) * 1000)
        if len(radius) < DEPENDENTS:
            raise RuntimeError(f"only {len(radius)} dependents were told")
        version = server.binaries.version
    return [Measure(f"blast radius, {len(radius)} dependents, Postgres {version}", "ms", times, promise="< 300 ms")]

"""How long writers wait for a deploy that takes a column away, in databases of many tables."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.measures import Measure
from benchmarks.rehearsals import tables
from services.database.connect import connect
from services.database.server import Server, scratch_server
from tests.lock_queue.load import by_deploy, fresh, writing
from tests.lock_queue.scenarios import SCENARIOS

ROUNDS = 3
COUNTS = (50, 500)
CHANGE = "ALTER TABLE people DROP COLUMN gone;"


def measure_large_catalogs() -> list[Measure]:
    """The longest write of two writers that never stop, nobody else in the way."""
    with scratch_server(options={"max_locks_per_transaction": "1024"}) as server:
        return [
            Measure(
                f"longest wait of a writer, {count} tables",
                "ms",
                [_round(server, count, seed) for seed in range(ROUNDS)],
                promise="<= 150 ms",
            )
            for count in COUNTS
        ]


def _round(server: Server, count: int, seed: int) -> float:
    url = fresh(server, "bench")
    with connect(url) as conn:
        conn.execute(tables(count).encode())
        conn.execute("VACUUM ANALYZE")
    scenario = replace(SCENARIOS[0], reorders=False)
    with writing(url, ("people",), seed) as writes:
        done = by_deploy(url, scenario, CHANGE)
    if not done.applied:
        raise RuntimeError(done.summary)
    return writes.longest_ms

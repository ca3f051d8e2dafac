"""How long writers wait while a change comes in behind a held lock: through our deploy, and through psql."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.measures import Measure
from services.database.server import Server, scratch_server
from tests.lock_queue.load import by_deploy, by_psql, fresh, stall_ms
from tests.lock_queue.scenarios import SCENARIOS, Scenario

ROUNDS = 3
HOLD_S = 1.2
ROWS = 1_500_000
PROMISE = "longest <= 150 ms"


def measure_lock_queue(folder: Path) -> list[Measure]:
    """For each scenario the longest write of two writers that never stop, in turns on fresh databases."""
    with scratch_server() as server:
        return [_measure(server, scenario, folder) for scenario in SCENARIOS]


def _measure(server: Server, scenario: Scenario, folder: Path) -> Measure:
    sql = scenario.change.replace("{rows}", str(ROWS))
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(ROUNDS):
        url = fresh(server, "bench")
        theirs.append(stall_ms(url, scenario, HOLD_S, seed, partial(by_psql, server, url, sql, folder)))
        url = fresh(server, "bench")
        ours.append(stall_ms(url, scenario, HOLD_S, seed, partial(by_deploy, url, scenario, sql)))
    what = f"longest wait of a writer: {scenario.id}"
    return Measure(what, "ms", ours, theirs, "the same SQL, psql -1 -f", PROMISE)

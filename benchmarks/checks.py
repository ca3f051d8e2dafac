"""How long the production test takes with every upstream call 200 ms late, beside the same checks one after another."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measures import Measure
from benchmarks.processes import home, started
from services.app_definition import load_app
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.runner import AT_ONCE, run_checks
from services.sandbox import control
from services.settings import load_settings

ROUNDS = 3
DOORS = ("app", "supabase", "openai", "railway", "status")
LATE_S = 0.2
PATIENCE_S = 300.0


def measure_checks() -> list[Measure]:
    """The full score in the world after the release, side by side and one at a time, in turns."""
    together: list[float] = []
    alone: list[float] = []
    with home() as folder, started(folder, "sandbox", "start", "--world", "after"):
        _score(folder, AT_ONCE)
        for door in DOORS:
            control.client(folder).delay(door, LATE_S)
        for _ in range(ROUNDS):
            together.append(_score(folder, AT_ONCE))
            alone.append(_score(folder, 1))
    what = f"full score, every upstream call {LATE_S * 1000:g} ms late"
    return [Measure(what, "s", together, alone, "one check after another", promise="ratio <= 0.4")]


def _score(folder: Path, at_once: int) -> float:
    """Seconds for every check of the app, `at_once` of them at the same time."""
    target = load_settings({"OPS_HOME": str(folder)}, folder).target("sandbox")
    app = load_app(target.app)
    now = datetime.now(UTC)
    catalogue = catalogue_of(app)
    began = time.perf_counter()
    run_checks(
        catalogue,
        catalogue.ids,
        CheckContext.create(target, app, now),
        now,
        within_s=PATIENCE_S,
        at_once=at_once,
    )
    return time.perf_counter() - began

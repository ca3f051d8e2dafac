"""How soon a deploy and a rehearsal end when somebody cancels them in the middle of a long statement."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from benchmarks.measures import Measure
from services.database.deployment.deploy import deploy
from services.database.execution import Cancelled, Emit, Stopped
from services.database.rehearsal.rehearse import rehearse
from services.database.script import Script
from services.database.server import scratch_server

ROUNDS = 5
PROMISE = "<= 1 s"
LONG = [Script("long.sql", "CREATE TABLE long AS SELECT g, md5(g::text) FROM generate_series(1, 40000000) g;")]


def measure_cancels() -> list[Measure]:
    """From the press to the end of the call, seconds; pressed once the statement runs."""
    with scratch_server() as server:
        url = server.dsn()

        def deploys(emit: Emit, cancelled: Cancelled) -> None:
            deploy(url, LONG, release_id="r", plan_hash="h", actor="ann", emit=emit, cancelled=cancelled)

        def rehearses(emit: Emit, cancelled: Cancelled) -> None:
            rehearse(url, LONG, rows="none", emit=emit, cancelled=cancelled)

        return [
            Measure("cancel of a deploy", "s", [_press(deploys, "statements") for _ in range(ROUNDS)], promise=PROMISE),
            Measure(
                "cancel of a rehearsal", "s", [_press(rehearses, "first-run") for _ in range(ROUNDS)], promise=PROMISE
            ),
        ]


def _press(work: Callable[[Emit, Cancelled], None], phase: str) -> float:
    """Press half a second after the phase has begun; how long it then took."""
    pressed = threading.Event()
    at: list[float] = []

    def press() -> None:
        at.append(time.perf_counter())
        pressed.set()

    def emit(kind: str, told: dict[str, object]) -> None:
        if kind == "phase" and told.get("name") == phase:
            threading.Timer(0.5, press).start()

    with suppress(Stopped):
        work(emit, pressed.is_set)
        raise RuntimeError("it ended by itself before anybody pressed")
    return time.perf_counter() - at[0]

"""With every upstream of a target taking our calls and saying nothing, worker and pages are up in seconds."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.campaign import only_in_full
from tests.dashboard.processes.conftest import processes_of, start_run
from tests.silence import Silence

SOON_S = 30.0
"""On two cores that others use too; by themselves it takes a tenth of that."""


@only_in_full
def test_run_is_up_soon_and_starts_no_sandbox(homes: Callable[[str], Path]) -> None:
    home = homes("silent")
    with Silence.listening() as silent:
        targets = home / "targets"
        targets.mkdir(parents=True)
        told = {"production": False, "levels": ["look", "observe"], **silent.target_values()}
        (targets / "staging.json").write_text(json.dumps({**told, "railway_service_id": "service"}))
        began = time.monotonic()
        running = start_run(home, OPS_TARGET="staging")
        try:
            running.until_ready()
            took_s = time.monotonic() - began
            children = json.loads((home / "run.lock").read_text())["children"]
            with urllib.request.urlopen(f"{running.address}/readyz", timeout=5) as answer:
                assert answer.status == 200
        finally:
            if running.process.poll() is None:
                running.process.send_signal(signal.SIGTERM)
            running.process.wait(20)
    assert set(children) == {"worker", "web"}
    assert took_s < SOON_S
    assert processes_of(home) == []

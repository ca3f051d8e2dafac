"""How long our own processes take: the sandbox from cold, the whole dashboard until it answers, the drill, --help."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measures import Measure

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
PATIENCE_S = 90


@contextmanager
def home() -> Iterator[Path]:
    """An empty home that the account of a database server can reach; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ops-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[tuple[str, float]]:
    """A command of ours that stays in the foreground: the address it printed, and after how many seconds."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPS_")}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard", *arguments, "--json"],
        cwd=ROOT,
        env={**kept, "OPS_HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        took = time.perf_counter() - began
        if not line:
            raise RuntimeError(f"{' '.join(arguments)} did not start")
        yield json.loads(line)["address"], took
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
        process.stdout.close()


def measure_processes() -> list[Measure]:
    cold, whole, drills, helps = [], [], [], []
    for _ in range(ROUNDS):
        with home() as folder, started(folder, "sandbox", "start") as (_address, took):
            cold.append(took)
        with home() as folder, started(folder, "run") as (_address, took):
            whole.append(took)
        helps.append(_timed("--help"))
    drills.append(_timed("drill"))
    return [
        Measure("sandbox, cold start until every part answers", "s", cold, promise="<= 3 s"),
        Measure("whole dashboard, start until it answers", "s", whole),
        Measure("drill, a whole release and back", "s", drills, promise="< 60 s"),
        Measure("command line, --help", "s", helps, promise="< 0.5 s"),
    ]


def _timed(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "dashboard", *arguments],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=PATIENCE_S,
    )
    return time.perf_counter() - began

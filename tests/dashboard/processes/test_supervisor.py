"""What a supervisor promises: parts come back alone, and none outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.processes.supervisor import FIRST_PAUSE_S, Part, Supervisor
from tests.dashboard.processes.conftest import ROOT, alive, wait_for

SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
)
SHORT = (sys.executable, "-c", "raise SystemExit(3)")


@pytest.fixture
def wake() -> Iterator[int]:
    """A descriptor that never becomes readable."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


def supervise(tmp_path: Path, *parts: Part, told: list[str] | None = None) -> Supervisor:
    heard = told if told is not None else []
    return Supervisor(parts, logs=tmp_path, environ=os.environ, folder=ROOT, tell=heard.append)


def turn_until(supervisor: Supervisor, wake: int, patience_s: float, what: str, times: int) -> None:
    until = time.monotonic() + patience_s
    while supervisor.deaths(what) < times or what not in supervisor.pids:
        assert time.monotonic() < until, supervisor.pids
        supervisor.turn(wake, 0.1)


def test_a_part_that_is_killed_comes_back_and_the_others_stay(tmp_path: Path, wake: int) -> None:
    told: list[str] = []
    supervisor = supervise(tmp_path, Part("one", SLEEPER), Part("two", SLEEPER), told=told)
    supervisor.start()
    try:
        first = supervisor.pids
        os.kill(first["one"], signal.SIGKILL)
        turn_until(supervisor, wake, 10, "one", 1)
        assert supervisor.pids["one"] != first["one"]
        assert supervisor.pids["two"] == first["two"]
        assert "SIGKILL" in told[0]
        assert "one.log" in told[0]
    finally:
        supervisor.stop()


def test_the_pause_grows_while_a_part_keeps_dying(tmp_path: Path, wake: int) -> None:
    supervisor = supervise(tmp_path, Part("short", SHORT))
    supervisor.start()
    try:
        began = time.monotonic()
        turn_until(supervisor, wake, 10, "short", 3)
        assert time.monotonic() - began >= FIRST_PAUSE_S * (1 + 2 + 4)
    finally:
        supervisor.stop()


def test_stop_ends_every_part_also_one_that_will_not_listen(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path, Part("kind", SLEEPER, 5.0), Part("stubborn", STUBBORN, 0.5))
    supervisor.start()
    pids = supervisor.pids
    wait_for(lambda: "up" in (tmp_path / "stubborn.log").read_text())
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 3
    assert not any(alive(pid) for pid in pids.values())


def test_parts_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import os, sys
        from dashboard.processes.logs import log_to
        log_to(sys.stderr)
        from pathlib import Path
        from dashboard.processes.supervisor import Part, Supervisor
        supervisor = Supervisor([Part("one", {SLEEPER!r}), Part("deaf", {STUBBORN!r}, 0.5)],
                                logs=Path({str(tmp_path)!r}), environ=os.environ, folder=Path.cwd())
        supervisor.start()
        print(*supervisor.pids.values(), flush=True)
        sys.stdin.read()
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    with process.stdout, process.stdin:
        try:
            pids = [int(word) for word in process.stdout.readline().split()]
            assert len(pids) == 2
            assert all(alive(pid) for pid in pids)
        finally:
            process.kill()
            process.wait()
        wait_for(lambda: not any(alive(pid) for pid in pids), 5)


def test_output_goes_to_a_log_and_a_large_one_makes_room(tmp_path: Path) -> None:
    (tmp_path / "one.log").write_bytes(b"x" * 10_000_001)
    supervisor = supervise(tmp_path, Part("one", SLEEPER))
    supervisor.start()
    try:
        wait_for(lambda: (tmp_path / "one.log").read_text() == "up\n")
        assert (tmp_path / "one.log.1").stat().st_size == 10_000_001
    finally:
        supervisor.stop()


def test_a_program_that_cannot_be_started_is_tried_again_later(tmp_path: Path, wake: int) -> None:
    supervisor = supervise(tmp_path, Part("absent", ("/nowhere/at/all",)))
    supervisor.start()
    try:
        wait_for(lambda: supervisor.turn(wake, 0.05), 5)
        assert supervisor.deaths("absent") >= 1 or "absent" not in supervisor.pids
    finally:
        supervisor.stop()

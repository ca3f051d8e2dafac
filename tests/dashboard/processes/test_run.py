"""`python -m dashboard run` as a whole: one address, one dashboard a home, each part comes back, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.processes.ports import listen
from tests.dashboard.processes.conftest import ROOT, Running, alive, processes_of, start_run, wait_for

MakeHome = Callable[[str], Path]
A_TARGET = {"OPS_TARGET": "staging", "OPS_TARGETS__STAGING__APP_URL": "http://127.0.0.1:9"}
"""A target that is not the sandbox: what is tested without one starts in half the time."""


@pytest.fixture(scope="module")
def on_the_sandbox(homes: MakeHome) -> Iterator[Running]:
    running = start_run(homes("whole"))
    try:
        yield running.until_ready()
    finally:
        began = time.monotonic()
        code = stop(running, signal.SIGTERM)
    assert code == 0
    assert time.monotonic() - began < 8
    assert processes_of(running.home) == []


def stop(running: Running, number: signal.Signals) -> int:
    """Send the signal to the supervisor alone, as `kill` does; returns its exit code."""
    if running.process.poll() is None:
        running.process.send_signal(number)
    return running.process.wait(20)


def children(running: Running) -> dict[str, int]:
    found: dict[str, int] = json.loads((running.home / "run.lock").read_text())["children"]
    return found


def ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def dashboard(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dashboard", *arguments],
        cwd=ROOT,
        env={**os.environ, "OPS_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_one_address_is_printed_and_everything_behind_it_answers(on_the_sandbox: Running) -> None:
    lines = on_the_sandbox.out.read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Dashboard: http://127.0.0.1:")
    assert ready(on_the_sandbox.address)
    assert dashboard(on_the_sandbox.home, "sandbox", "status").returncode == 0
    assert set(children(on_the_sandbox)) == {"sandbox", "worker", "web"}


def test_a_second_start_says_where_the_first_one_runs(on_the_sandbox: Running) -> None:
    second = dashboard(on_the_sandbox.home, "run", "--json")
    assert second.returncode == 1
    assert on_the_sandbox.address in json.loads(second.stdout)["error"]["what"]
    assert ready(on_the_sandbox.address)


def test_the_dashboard_listens_on_this_machine_only(on_the_sandbox: Running) -> None:
    port = int(on_the_sandbox.address.rpartition(":")[2])
    listening = {
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    }
    assert listening == {f"0100007F:{port:04X}"}


@pytest.mark.parametrize("part", ["worker", "web", "sandbox"])
def test_a_part_that_is_killed_comes_back_alone(on_the_sandbox: Running, part: str) -> None:
    before = children(on_the_sandbox)
    os.kill(before[part], signal.SIGKILL)
    if part == "web":
        # Who connects while it starts anew is not refused, but waits and is answered.
        with urllib.request.urlopen(f"{on_the_sandbox.address}/readyz", timeout=30) as answer:
            assert answer.status == 200
    wait_for(lambda: children(on_the_sandbox).get(part, before[part]) != before[part])
    if part == "sandbox":
        wait_for(lambda: dashboard(on_the_sandbox.home, "sandbox", "status").returncode == 0, 30)
    after = children(on_the_sandbox)
    assert {name for name in before if after[name] != before[name]} == {part}


def test_a_background_start_that_ignores_interrupts_is_ended_by_one(homes: MakeHome) -> None:
    running = start_run(homes("background"), ignored=True, **A_TARGET).until_ready()
    assert stop(running, signal.SIGINT) == 0
    assert processes_of(running.home) == []


def test_a_killed_supervisor_takes_everything_with_it_and_the_next_start_works_on_the_same_port(
    homes: MakeHome,
) -> None:
    running = start_run(homes("killed")).until_ready()
    pids = children(running)
    assert len(processes_of(running.home)) > 6
    running.process.kill()
    running.process.wait()
    again = start_run(running.home, "--port", running.address.rpartition(":")[2], **A_TARGET)
    try:
        again.until_ready()
        assert not any(alive(pid) for pid in pids.values())
        assert again.address == running.address
    finally:
        again.process.kill()
        again.process.wait()
    wait_for(lambda: processes_of(running.home) == [], 10)


def test_a_busy_port_is_a_sentence_and_nothing_starts(homes: MakeHome) -> None:
    home = homes("busy")
    with listen(None) as held:
        port = held.getsockname()[1]
        refused = dashboard(home, "run", "--port", str(port), "--json")
    assert refused.returncode == 64
    assert str(port) in json.loads(refused.stdout)["error"]["what"]
    assert not (home / "store.sqlite3").exists()
    assert processes_of(home) == []


def test_an_unknown_target_is_a_sentence_and_nothing_starts(homes: MakeHome) -> None:
    refused = dashboard(homes("unknown"), "run", "--target", "nowhere", "--json")
    assert refused.returncode == 64
    assert "nowhere" in json.loads(refused.stdout)["error"]["what"]


def test_the_web_process_does_not_hold_small_answers_back(on_the_sandbox: Running) -> None:
    """Two small writes in a row must not wait for the other side's delayed acknowledgement (40 ms)."""
    host, port = on_the_sandbox.address.removeprefix("http://").split(":")
    wait_for(lambda: ready(on_the_sandbox.address), 30)
    request = f"GET /livez HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    times = []
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for _ in range(15):
            began = time.monotonic()
            connection.sendall(request)
            connection.recv(65536)
            times.append(time.monotonic() - began)
    assert sorted(times)[len(times) // 2] < 0.03

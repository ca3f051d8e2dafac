"""A worker and a web process by themselves: each says when it works, ends in order, and refuses with a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.jobs.liveness import worker_is_alive
from tests.campaign import only_in_full
from tests.dashboard.processes.conftest import ROOT, processes_of
from tests.migrated_store import fresh_store

MakeHome = Callable[[str], Path]


@contextmanager
def started(home: Path, *arguments: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A command in the foreground, and what it says when it works; killed where the test left it running."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPS_")}
    with (home / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", *arguments, "--json"],
            cwd=ROOT,
            env={**kept, "OPS_HOME": str(home), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (home / "stderr").read_text()
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def refused(home: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPS_")}
    done = subprocess.run(
        [sys.executable, "-m", "dashboard", *arguments, "--json"],
        cwd=ROOT,
        env={**kept, "OPS_HOME": str(home), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)["error"]["what"]


def test_worker_and_pages_stand_by_themselves_on_one_store(homes: MakeHome) -> None:
    home = homes("alone")
    with started(home, "worker") as (worker, told), started(home, "worker") as (second, other):
        assert told["worker"] != other["worker"]
        store = fresh_store(home / "store.sqlite3")
        assert worker_is_alive(store, store.now())
        with started(home, "web") as (web, said), urllib.request.urlopen(f"{said['address']}/readyz", timeout=10) as ok:
            assert ok.status == 200
            web.send_signal(signal.SIGTERM)
            assert web.wait(15) == 0
        for process, number in ((worker, signal.SIGTERM), (second, signal.SIGHUP)):
            began = time.monotonic()
            process.send_signal(number)
            assert process.wait(15) == 0
            assert time.monotonic() - began < 5
        assert not worker_is_alive(store, store.now())
        store.close()
        assert "Traceback" not in (home / "stderr").read_text()
    assert processes_of(home) == []


@pytest.mark.parametrize("command", ["worker", pytest.param("web", marks=only_in_full)])
def test_without_a_store_neither_starts(homes: MakeHome, command: str) -> None:
    code, what = refused(homes("no-store"), command, OPS_STORE_URL="postgresql://u:hunter2@127.0.0.1:9/none")
    assert code == 2
    assert what.startswith("Our own store at")
    assert "hunter2" not in what


@only_in_full
@pytest.mark.parametrize("command", ["worker", "web"])
def test_malformed_settings_are_not_understood(homes: MakeHome, command: str) -> None:
    code, what = refused(homes("malformed"), command, OPS_TARGETS__STAGING__APP_URL="nowhere")
    assert code == 64
    assert "OPS_TARGETS__STAGING__APP_URL" in what


@only_in_full
def test_pages_by_themselves_listen_beyond_loopback_only_with_sign_in(homes: MakeHome) -> None:
    code, what = refused(homes("open"), "web", "--host", "0.0.0.0")
    assert code in (1, 64)
    assert what

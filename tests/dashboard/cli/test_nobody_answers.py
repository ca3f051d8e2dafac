"""Every upstream takes our connections and says nothing: the commands that look end soon, and know nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.clients.first_contact import FIRST_S
from tests.campaign import only_in_full
from tests.dashboard.cli.conftest import Run
from tests.silence import Silence

WITHIN_S = 15.0
LEVELS = ["look", "observe", "platform", "probe", "deploy"]


@pytest.fixture
def run_in_silence(run: Run, tmp_path: Path) -> Iterator[Run]:
    with Silence.listening() as silent:
        targets = tmp_path / "home" / "targets"
        targets.mkdir(parents=True)
        values = {"production": False, "levels": LEVELS, **silent.target_values()}
        (targets / "sandbox.json").write_text(json.dumps(values))
        yield run


def test_check_knows_nothing_and_says_so_within_fifteen_seconds(run_in_silence: Run) -> None:
    began = time.monotonic()
    said = run_in_silence("check", "--json")
    took = time.monotonic() - began
    checks = said.document["checks"]
    assert [one["id"] for one in checks] == list(catalogue_of(load_app("pulsecheck")).ids)
    assert [(one["id"], one["summary"]) for one in checks if one["verdict"] != "unknown"] == []
    assert (said.document["verdict"], said.code) == ("unknown", 2)
    assert "Traceback" not in said.err
    assert not [one["id"] for one in checks if one["evidence"]["facts"].get("where")]
    assert took < WITHIN_S


def test_no_thread_outlives_its_deadline(run_in_silence: Run) -> None:
    run_in_silence("check", "--json")
    left = [thread for thread in threading.enumerate() if thread.name.startswith("check ")]
    for thread in left:
        thread.join(5)
    assert [thread.name for thread in left if thread.is_alive()] == []


def test_look_ends_with_the_one_upstream_that_it_asks(run_in_silence: Run, tmp_path: Path) -> None:
    address = json.loads((tmp_path / "home" / "targets" / "sandbox.json").read_text())["app_url"]
    began = time.monotonic()
    said = run_in_silence("look", address, "--json")
    assert time.monotonic() - began < FIRST_S + 3
    assert (said.document["verdict"], said.code) == ("unknown", 2)


@only_in_full
@pytest.mark.parametrize("command", ["score", "diagnose"])
def test_the_longer_looks_end_too_and_call_nothing_healthy(run_in_silence: Run, command: str) -> None:
    began = time.monotonic()
    said = run_in_silence(command, "--json")
    assert time.monotonic() - began < WITHIN_S
    assert said.code in (1, 2)
    assert "Traceback" not in said.err
    if command == "score":
        assert (said.document["passed"], said.document["sentence"]) == (0, "0 of 0 tested, 10 not tested.")
        assert said.code == 2

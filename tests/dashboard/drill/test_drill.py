"""The drill as a command: the release of the app holds, a broken one ends with 1, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.drill.stage import PREFIX
from tests.campaign import only_in_full
from tests.dashboard.processes.conftest import ROOT, alive, processes_of, wait_for

RELEASE = ROOT / "apps" / "pulsecheck" / "releases" / "beta-optimization"


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary folder that the account of a database server can reach."""
    folder = Path(tempfile.mkdtemp(prefix="ops-test-"))
    yield folder
    shutil.rmtree(folder)


def start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    place.chmod(0o711)
    return subprocess.Popen(
        [sys.executable, "-m", "dashboard", "drill", "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left(place: Path) -> list[Path]:
    return list(place.glob(f"{PREFIX}*"))


def test_the_release_holds_forward_and_back(place: Path) -> None:
    process = start(place)
    out, err = process.communicate(timeout=110)
    document = json.loads(out)
    assert process.returncode == 0, err
    before, after, back = document["score_before"], document["score_after"], document["back_out"]["score"]
    assert (before["passed"], before["of"]) == (7, 10)
    assert (after["passed"], after["of"]) == (10, 10)
    assert after["percent"] > 90
    assert (back["passed"], back["of"]) == (7, 10)
    assert document["deploy"] == "pass"
    assert document["rollback"]["fingerprint_restored"] is True
    assert document["rollback"]["rows_lost"] == 0
    states = {step["id"]: step["state"] for step in document["steps"]}
    assert len(states) == 27
    later = {name for name in states if name.split("-")[0] in ("hour", "day", "week")}
    assert {states[name] for name in later} == {"todo"}
    assert {states[name] for name in states.keys() - later} == {"passed"}
    assert set(document["steps"][0]) == {"id", "phase", "state", "summary", "took_ms"}
    assert document["took_s"] > 0
    assert left(place) == []


@pytest.mark.campaign
@only_in_full
def test_a_broken_release_ends_with_1_and_still_tells_every_step(place: Path) -> None:
    copy = place / RELEASE.name
    shutil.copytree(RELEASE, copy)
    with (copy / "deploy" / "080_security.sql").open("a", encoding="utf-8") as script:
        script.write("\nSELECT no_such_column FROM public.users;\n")
    process = start(place, "--release", str(copy))
    out, _ = process.communicate(timeout=110)
    document = json.loads(out)
    assert process.returncode == 1
    assert document["held"] is False
    assert len(document["steps"]) == 27
    assert left(place) == []


def test_an_unknown_release_is_not_understood(place: Path) -> None:
    process = start(place, "--release", "no-such-release")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 64
    assert "no-such-release" in json.loads(out)["error"]["what"]
    assert left(place) == []


def test_a_drill_that_is_stopped_takes_everything_with_it(place: Path) -> None:
    process = start(place)
    wait_for(lambda: list(place.glob(f"{PREFIX}*/targets/sandbox.json")), 40)
    home = left(place)[0]
    assert len(processes_of(home)) > 3
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Stopped" in json.loads(out)["error"]["what"]
    assert processes_of(home) == []
    assert left(place) == []


@pytest.mark.campaign
@only_in_full
def test_what_a_killed_drill_left_is_swept_by_the_next_one(place: Path) -> None:
    process = start(place)
    wait_for(lambda: list(place.glob(f"{PREFIX}*/targets/sandbox.json")), 40)
    home = left(place)[0]
    pids = [process.pid]
    process.kill()
    process.communicate()
    wait_for(lambda: processes_of(home) == [], 15)
    assert not any(alive(pid) for pid in pids)
    assert left(place) == [home]
    again = start(place, "--release", "no-such-release")
    again.communicate(timeout=60)
    assert left(place) == []

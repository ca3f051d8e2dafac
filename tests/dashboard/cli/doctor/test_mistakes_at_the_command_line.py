"""Mistakes through the real command line: exit code 64, sentences, no value, no traceback, and nothing started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.dashboard.cli.conftest import Run
from tests.repository.conftest import ROOT
from tests.services.settings.mistakes import MISTAKES, PLANTED, Mistake

CHOSEN = ("json-key", "json-broken", "user-is-anon", "service-role-as-anon", "store-of-another-kind", "oidc-by-half")
HOME = "OPS_HOME"


def mistake(id_: str) -> Mistake:
    return next(one for one in MISTAKES if one.id == id_)


def variables(one: Mistake, root: Path) -> dict[str, str]:
    """A mistake as variables and target files alone: the one secrets.toml is that of whoever runs the tests."""
    environ = one.make(root)
    if isinstance(one.toml, str):
        values = [line.partition(" = ") for line in one.toml.splitlines() if not line.startswith("[")]
        environ |= {f"OPS_TARGETS__STAGING__{key.upper()}": value.strip('"') for key, _, value in values}
    return environ


@pytest.mark.parametrize("id_", CHOSEN)
def test_doctor_lists_it_and_ends_with_64(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, id_: str) -> None:
    for name, value in variables(mistake(id_), tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(HOME, str(tmp_path / ".ops"))
    said = run("doctor", "--json")
    assert said.code == 64
    (problem,) = said.document["problems"]
    assert set(problem) == {"what", "means", "do", "place"}
    assert all(problem.values())
    assert PLANTED not in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_doctor_lists_several_mistakes_one_by_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = mistake("json-key").make(tmp_path) | mistake("armed-for-ever").make(tmp_path)
    for name, value in {**environ, HOME: str(tmp_path / ".ops")}.items():
        monkeypatch.setenv(name, value)
    places = [problem["place"] for problem in run("doctor", "--json").document["problems"]]
    assert sorted(places) == ["OPS_ARM_HOURS", "targets/live.json:3"]
    told = run("doctor").out.splitlines()
    assert len(told) == 2


Started = Callable[[Mapping[str, str], str], subprocess.CompletedProcess[str]]


@pytest.fixture
def started() -> Started:
    """A command in a process of its own, with nothing of ours in its environment but what is given."""

    def start(environ: Mapping[str, str], command: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OPS_")}
        return subprocess.run(
            [sys.executable, "-m", "dashboard", command, "--json"],
            cwd=ROOT, env={**clean, **environ}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return start


@pytest.mark.parametrize("id_", ["json-key", "dsn-as-anon", "heartbeat-too-often"])
def test_run_starts_nothing_at_all(started: Started, tmp_path: Path, id_: str) -> None:
    environ = variables(mistake(id_), tmp_path)
    home = tmp_path / ".ops"
    before = sorted(home.rglob("*"))
    ended = started({**environ, HOME: str(home)}, "run")
    assert ended.returncode == 64, ended.stderr
    error = json.loads(ended.stdout)["error"]
    assert set(error) == {"what", "means", "do", "place"}
    assert error["what"].startswith("The settings hold 1 problem: ")
    assert error["means"] == "Nothing was started."
    assert "Traceback" not in ended.stderr
    assert PLANTED not in ended.stdout + ended.stderr
    assert sorted(home.rglob("*")) == before  # no lock, no log, no store

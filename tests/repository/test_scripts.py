"""What make calls: a second setup is instant, and the browser tests are never left out in silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import prepare, run_tests
from scripts.memory_folder import memory_folder
from tests.repository.conftest import ROOT


def test_a_second_setup_does_nothing() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "scripts/prepare.py"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert "Installing the pinned packages" not in done.stderr
    assert time.monotonic() - began < 10


def test_other_pins_ask_for_another_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare._wanted()
    changed = tmp_path / "requirements.txt"
    changed.write_text("typer==0.0.1\n")
    monkeypatch.setattr(prepare, "REQUIREMENTS", (changed, prepare.REQUIREMENTS[1]))
    assert prepare._wanted() != first


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A machine without any Chromium; returns what pytest would have been called with."""
    called: list[list[str]] = []
    monkeypatch.setattr(run_tests, "find_browser", lambda: None)
    monkeypatch.setattr(run_tests, "_run", lambda command, environ: called.append(command) or 0)
    return called


def test_without_a_browser_it_is_said_loudly(
    no_browser: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    run_tests.main([])
    assert "THE BROWSER TESTS ARE LEFT OUT" in capsys.readouterr().err
    assert "not browser" in no_browser[0]


def test_under_ci_that_is_a_failure(no_browser: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert run_tests.main([]) == 1
    assert no_browser == []


def test_a_browser_is_one_only_if_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "chromium"
    stub.write_text("#!/bin/sh\necho 'install it with snap'\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_tests._on_the_path() is None
    stub.write_text("#!/bin/sh\necho 'Chromium 150.0'\n")
    assert run_tests._on_the_path() == str(stub)


@pytest.mark.parametrize(("ending", "code"), [("exit 3", 3), ("kill -9 $$", 128 + signal.SIGKILL)])
def test_the_run_ends_as_its_tests_do(ending: str, code: int) -> None:
    program = "import os, sys; from scripts.run_tests import _run; sys.exit(_run(['sh', '-c', sys.argv[1]], {}))"
    # In a process of its own, whose signals it may handle.
    assert subprocess.run([sys.executable, "-c", program, ending], cwd=ROOT, check=False).returncode == code


def test_a_run_that_is_told_to_end_removes_its_folder(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from scripts.memory_folder import memory_folder\n"
        "from scripts.run_tests import _run\n"
        "with memory_folder(pathlib.Path(sys.argv[1]), room=0) as folder:\n"
        "    code = _run(['sh', '-c', 'echo 1; exec sleep 60'], dict(os.environ))\n"
        "print(code)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "1\n"
        assert list(tmp_path.iterdir()) != []
        child.terminate()
        assert child.stdout.read() == f"{128 + signal.SIGTERM}\n"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_what_is_in_use_stays(tmp_path: Path) -> None:
    (tmp_path / "ops-tests-left").mkdir()
    (tmp_path / "ops-tests-left.lock").touch()
    with memory_folder(tmp_path, room=0) as first, memory_folder(tmp_path, room=0) as second:
        assert first is not None and second is not None
        assert {one for one in tmp_path.iterdir() if one.is_dir()} == {first, second}


def test_where_there_is_no_room_the_disk_is_used(tmp_path: Path) -> None:
    with memory_folder(tmp_path, room=2**62) as folder:
        assert folder is None
    with memory_folder(tmp_path / "no-such-place") as folder:
        assert folder is None


def test_ci_calls_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "exec make test" in script.read_text(encoding="utf-8")

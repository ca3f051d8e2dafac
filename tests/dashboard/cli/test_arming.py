"""The commands that arm: what they take, what they refuse to take, and when they do not even ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard import composition
from dashboard.cli.arming import span_of
from dashboard.cli.entry import main
from services.errors import NotUnderstood

Run = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command on a production that may be armed; its exit code and the error it tells."""
    monkeypatch.setenv("OPS_HOME", str(tmp_path))
    monkeypatch.setenv("OPS_CLI_ROLE__PRODUCTION", "operator")
    monkeypatch.setenv("OPS_TARGETS__PRODUCTION__APP_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPS_TARGETS__PRODUCTION__DATABASE_URL", "postgresql://reader@127.0.0.1:1/app")
    monkeypatch.setenv("OPS_TARGETS__PRODUCTION__LEVELS", "look,observe,deploy")
    composition.close()

    def go(*words: str) -> tuple[int, dict[str, str]]:
        code = main([*words, "--target", "production", "--json"])
        told = json.loads(capsys.readouterr().out)
        return code, told["error"]

    return go


@pytest.mark.parametrize(("text", "minutes"), [("90m", 90), ("4h", 240), ("1h30m", 90), (" 2H ", 120), ("1440m", 1440)])
def test_a_time_is_read(text: str, minutes: int) -> None:
    assert span_of(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "h", "0m", "2", "two hours", "-1h", "1.5h", "1d"])
def test_what_is_no_time_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood, match="is not a time"):
        span_of(text)


def test_an_address_in_the_command_line_is_not_taken_nor_repeated(run: Run) -> None:
    code, told = run("arm", "--database", "postgresql://owner:hunter2-word@127.0.0.1:1/app")
    assert code == 64
    assert "ps shows it" in told["what"]
    assert "hunter2-word" not in json.dumps(told)


def test_without_a_terminal_it_says_how_to_give_the_address(run: Run) -> None:
    code, told = run("arm")
    assert code == 64
    assert "no terminal" in told["what"] and "env:NAME" in told["do"]


def test_a_variable_that_is_not_set_is_named(run: Run) -> None:
    code, told = run("arm", "--database", "env:NOT_SET_HERE")
    assert (code, "NOT_SET_HERE" in told["what"]) == (64, True)


def test_what_may_not_be_armed_is_refused_before_an_address_is_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_TARGETS__PRODUCTION__LEVELS", "look,observe")
    code, told = run("arm")
    assert code == 1
    assert "level 'deploy'" in told["what"]


def test_a_time_of_more_than_a_day_is_refused(run: Run) -> None:
    code, told = run("arm", "--for", "25h")
    assert (code, "at most 24 hours" in told["what"]) == (64, True)


def test_disarming_what_is_not_armed_says_so(run: Run) -> None:
    code, told = run("disarm")
    assert (code, told["what"]) == (1, "production is not armed.")


def test_a_deploy_with_nothing_armed_and_no_worker_names_both_ways(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "one.sql"
    path.write_text("SELECT 1;\n")
    code, told = run("deploy", str(path), "--confirm", "deploy one to production")
    assert code == 1
    assert "is not armed" in told["what"]
    assert "python -m dashboard run" in told["do"] and "--database env:NAME" in told["do"]

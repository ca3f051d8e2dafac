"""The command that makes recovery codes: printed once, never listed, for whoever owns the console."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.cli.entry import main
from services.store import audit
from tests.migrated_store import fresh_store

MAKE = ["recovery-codes", "--target", "staging", "--for", "Ada Example", "--json"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "staging.json").write_text("{}")
    monkeypatch.setenv("OPS_HOME", str(tmp_path))
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    code = main([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_codes_are_printed_once_and_never_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = ran(capsys, *MAKE, "--count", "3")
    assert code == 0
    texts = [one["code"] for one in told["codes"]]
    assert len({*texts}) == 3
    code, listed = ran(capsys, "recovery-codes", "--target", "staging", "--list")
    assert code == 0
    assert [one["state"] for one in listed["codes"]] == ["unused"] * 3
    assert not any(text in json.dumps(listed) for text in texts)


def test_the_console_needs_no_role_and_is_audited_by_its_account(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(capsys, *MAKE)[0] == 0
    store = fresh_store(home / "store.sqlite3")
    (entry,) = audit.entries(store)
    store.close()
    assert entry.actor.startswith("cli:")
    assert (entry.action, entry.target, entry.subject) == ("make recovery codes", "staging", "Ada Example")


def test_withdrawing_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    ran(capsys, *MAKE, "--count", "2")
    assert ran(capsys, "recovery-codes", "--target", "staging", "--withdraw", "--for", "Bo")[1]["withdrawn"] == 0
    assert ran(capsys, "recovery-codes", "--target", "staging", "--withdraw")[1]["withdrawn"] == 2
    assert ran(capsys, "recovery-codes", "--target", "staging", "--list")[1]["codes"][0]["state"] == "withdrawn"


@pytest.mark.parametrize(
    "argv",
    [
        ["recovery-codes", "--target", "staging"],
        [*MAKE, "--count", "0"],
        [*MAKE, "--days", "9999"],
        [*MAKE, "--list", "--withdraw"],
        ["recovery-codes", "--target", "nowhere", "--for", "Ada"],
    ],
)
def test_what_cannot_be_understood_makes_nothing(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, told = ran(capsys, *argv)
    assert code == 64
    assert told["error"]["what"]
    assert ran(capsys, "recovery-codes", "--target", "staging", "--list")[1]["codes"] == []


def test_the_target_is_spelled_out_where_it_is_not_the_sandbox(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPS_TARGET", "staging")
    code, told = ran(capsys, "recovery-codes", "--for", "Ada Example")
    assert code == 64
    assert "--target staging" in told["error"]["do"]

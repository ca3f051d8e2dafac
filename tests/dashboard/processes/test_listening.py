"""Listening beyond loopback: refused before anything is started, unless people must prove who they are."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from dashboard.cli.entry import main
from dashboard.processes.ports import listen, own_address
from services.errors import NotUnderstood


def write(home: Path, name: str, **values: Any) -> None:
    (home / "targets").mkdir(exist_ok=True)
    (home / "targets" / f"{name}.json").write_text(json.dumps(values))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPS_HOME", str(tmp_path))
    monkeypatch.setenv("OPS_TARGET", "staging")
    # Set here, so that what the command sets is put back.
    monkeypatch.setenv("OPS_HOST", "127.0.0.1")
    monkeypatch.setenv("OPS_PUBLIC_URL", "https://ops.example.com")
    write(tmp_path, "staging")
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["run", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)["error"]["what"]


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--host", "::"], []])
def test_without_a_sign_in_nothing_is_started(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, what = refusal(capsys, *arguments)
    assert code == 64
    assert "staging has no sign-in" in what
    assert [path.name for path in home.iterdir()] == ["targets"]


def test_without_a_public_address_too(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPS_PUBLIC_URL")
    write(home, "staging", auth_url="https://own.example", auth_anon_key="sb_publishable_0123456789abcdef")
    code, what = refusal(capsys, "--host", "0.0.0.0")
    assert code == 64
    assert "OPS_PUBLIC_URL is not set" in what


def test_one_target_with_accounts_that_need_no_password_is_enough_to_refuse(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home, "staging", auth_url="https://own.example", auth_anon_key="sb_publishable_0123456789abcdef")
    account = {"name": "ada", "email": "ada@example.com", "password": "a-password", "role": "admin"}
    write(home, "sandbox", production=False, quick_sign_in=[account])
    code, what = refusal(capsys, "--host", "0.0.0.0")
    assert code == 64
    assert "sandbox has accounts that need no password" in what
    assert "staging" not in what


def test_an_address_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(NotUnderstood, match=r"198\.51\.100\.77 is not an address of this machine"):
        listen(None, "198.51.100.77")


def test_it_listens_where_it_is_told_to_and_reaches_itself() -> None:
    with listen(None, "0.0.0.0") as held:
        place = (own_address("0.0.0.0"), held.getsockname()[1])
        assert held.getsockname()[0] == "0.0.0.0"
        with socket.create_connection(place, timeout=5):
            pass
    assert own_address("10.0.0.5") == "10.0.0.5"
    assert own_address("::") == "::1"

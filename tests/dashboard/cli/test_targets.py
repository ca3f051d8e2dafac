"""A change elsewhere than the sandbox names its target; looking does not have to."""

from __future__ import annotations

import pytest

from tests.dashboard.cli.conftest import Run

CHANGES = [
    ["deploy", "beta-optimization", "--confirm", "x"],
    ["rollback", "beta-optimization", "--confirm", "x"],
    ["restore", "5d2f0a6e-0000-4000-8000-000000000000"],
]


@pytest.fixture(autouse=True)
def staging_by_default(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_TARGET", "staging")
    monkeypatch.setenv("OPS_TARGETS__STAGING__APP_URL", "http://127.0.0.1:9")


@pytest.mark.parametrize("command", CHANGES)
def test_a_change_of_the_default_target_must_spell_it_out(run: Run, command: list[str]) -> None:
    said = run(*command, "--json")
    assert said.code == 64
    assert said.error["do"] == "Spell it out: --target staging."


@pytest.mark.parametrize("command", CHANGES)
def test_spelled_out_it_goes_on_to_the_next_question(run: Run, command: list[str]) -> None:
    said = run(*command, "--target", "staging", "--json")
    assert said.error["place"] != "--target"
    assert said.code in (1, 64)


@pytest.mark.parametrize("command", [["check", "api-answers"], ["score"]])
def test_checks_that_would_write_must_spell_it_out_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("OPS_TARGETS__STAGING__LEVELS", "look,probe")
    assert run(*command, "--json").error["place"] == "--target"


def test_an_unknown_target_is_not_understood(run: Run) -> None:
    said = run("check", "--target", "nowhere", "--json")
    assert said.code == 64
    assert "nowhere" in str(said.error["what"])


def test_a_target_and_a_database_at_once_are_not_understood(run: Run) -> None:
    said = run(
        "verify", "beta-optimization", "--target", "staging", "--database", "postgresql://x@127.0.0.1:1/y", "--json"
    )
    assert said.code == 64
    assert "Both" in str(said.error["what"])


def test_the_embedded_worlds_commands_take_no_other_target(run: Run) -> None:
    assert run("sandbox", "reset", "--target", "staging", "--json").code == 64

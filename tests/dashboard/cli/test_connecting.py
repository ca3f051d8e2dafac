"""`connect` at the console: making, keeping, proving, granting, taking back; by script, and guided at a terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dashboard import composition
from dashboard.cli import guiding, levels
from dashboard.cli.person import account
from services.settings import Level, Target
from services.store import audit
from tests.campaign import only_in_full
from tests.dashboard.cli.conftest import Run
from tests.matrix.stage import stage
from tests.services.clients.scripted_server import ScriptedServer, answers

TOKEN = "railway-token-of-this-test"


@pytest.fixture
def app() -> Iterator[str]:
    """The address of something that answers."""
    server = ScriptedServer(answers({"paths": {}}))
    yield server.url
    server.close()


def target() -> Target:
    return composition.settings().target("prod")


def made(run: Run, app: str) -> None:
    levels.make("prod", app, app="pulsecheck", disposable=False)


def test_a_new_target_can_look_and_says_how_to_go_on(run: Run, app: str) -> None:
    said = run("connect", "prod", "--url", app, "--json")
    stand = {one["level"]: one for one in said.document["levels"]}
    assert (said.code, list(stand)) == (0, [level.value for level in Level])
    assert [name for name, one in stand.items() if one["granted"]] == ["look"]
    assert set(stand["look"]) >= {"level", "means", "granted", "verdict", "summary", "seen", "could_also", "missing"}
    assert "no terminal" in said.err
    assert target().production
    assert target().founder == f"cli:{account()}"


def test_who_made_a_target_here_is_its_admin_here_and_nobody_else(run: Run, app: str) -> None:
    made(run, app)
    assert run("connect", "prod", "--grant", "platform").code == 1
    path = Path(os.environ["OPS_HOME"]) / "targets" / "prod.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "founder": "cli:somebody-else"}))
    said = run("connect", "prod", "--grant", "platform", "--json")
    assert (said.code, "no role" in str(said.error["what"])) == (1, True)


def test_a_key_comes_from_a_variable_and_stands_nowhere_but_in_the_targets_file(
    run: Run, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(run, app)
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    said = run("connect", "prod", "--set", "railway_token=env:MY_TOKEN")
    assert target().railway_token is not None
    assert TOKEN not in said.out + said.err
    kept = [
        one for one in Path(os.environ["OPS_HOME"]).rglob("*") if one.is_file() and TOKEN.encode() in one.read_bytes()
    ]
    assert [one.name for one in kept] == ["prod.json"]


@pytest.mark.parametrize(
    "given",
    [
        f"railway_token={TOKEN}",
        "railway_token=env:NOT_SET_AT_ALL",
        "levels=env:HOME",
        "railway_token",
        "probe_caps=env:HOME",
    ],
)
def test_a_value_in_the_command_line_is_not_understood(run: Run, app: str, given: str) -> None:
    made(run, app)
    said = run("connect", "prod", "--set", given, "--json")
    assert said.code == 64
    assert TOKEN not in said.out + said.err
    assert target().railway_token is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["connect", "--url", "https://app.example.com"],
        ["connect", "prod", "--url", "app.example.com"],
        ["connect", "prod", "--target", "other", "--url", "https://app.example.com"],
        ["connect", "nowhere"],
        ["connect", "prod", "--url", "https://app.example.com", "--app", "nonsense"],
        ["connect", "prod", "--url", "https://app.example.com", "--grant", "everything"],
    ],
)
def test_what_cannot_be_understood_ends_with_64(run: Run, arguments: list[str]) -> None:
    assert run(*arguments, "--json").code == 64


def test_what_was_not_proved_is_not_granted(run: Run, app: str) -> None:
    made(run, app)
    said = run("connect", "prod", "--grant", "platform", "--json")
    assert (said.code, "did not pass" in str(said.error["what"])) == (1, True)
    assert target().levels == {Level.LOOK}


def test_taking_back_says_what_went_and_what_is_left_to_do(run: Run, app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made(run, app)
    monkeypatch.setenv("MY_DSN", "postgresql://ops_reader:x@127.0.0.1:1/postgres")
    monkeypatch.setenv("MY_SBP", "sbp_" + "0" * 40)
    run("connect", "prod", "--set", "database_url=env:MY_DSN", "--set", "supabase_access_token=env:MY_SBP")
    said = run("connect", "--target", "prod", "--take-back", "observe", "--json")
    assert said.code == 0
    assert set(said.document["taken_out"]) == {"database_url", "supabase_access_token"}
    assert "delete it there" in said.document["do"][0]
    assert "ops_reader" in said.document["sql"]
    again = run("connect", "--target", "prod", "--take-back", "observe", "--json")
    assert (again.code, again.document["taken_out"]) == (0, [])


@dataclass
class Typist:
    """Somebody at the terminal: what is asked, and what they type for the question that holds a word."""

    types: dict[str, str]
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def __call__(self, question: str, secret: bool) -> str:
        self.asked.append((question, secret))
        return next((text for word, text in self.types.items() if word in question), "")


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def sits_down(types: dict[str, str]) -> Typist:
        typist = Typist(types)
        monkeypatch.setattr(guiding, "_typed", typist)
        monkeypatch.setattr(guiding, "at_a_terminal", lambda: True)
        return typist

    return sits_down


def test_at_a_terminal_each_level_is_offered_and_none_is_granted_unasked(
    run: Run, app: str, at_a_terminal: Any
) -> None:
    typist = at_a_terminal({})
    said = run("connect", "prod", "--url", app)
    assert [question for question, _ in typist.asked] == [
        f"Set up '{level}' on prod now? [y/N]" for level in Level if level is not Level.LOOK
    ]
    assert "https://supabase.com/dashboard/account/tokens" in said.err
    assert "database_read" in said.err
    assert "A Railway project token can deploy" in said.err
    assert target().levels == {Level.LOOK}


def test_secrets_are_typed_unseen_and_a_level_that_is_not_proved_is_not_offered(
    run: Run, app: str, at_a_terminal: Any
) -> None:
    typist = at_a_terminal({"Set up 'platform'": "y", "Railway project token": TOKEN, "Grant": "y"})
    said = run("connect", "prod", "--url", app)
    assert ("Railway project token" in str(typist.asked), "Grant" in str(typist.asked)) == (True, False)
    assert [secret for question, secret in typist.asked if question.startswith("Railway project token")] == [True]
    assert [secret for question, secret in typist.asked if "[y/N]" in question and secret] == []
    assert TOKEN not in said.out + said.err
    assert "'platform' is not granted" in said.err


@only_in_full
def test_a_newcomers_script_goes_through_the_levels_of_a_real_world(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with stage("before") as world:
        known, keys = world.target, world.one.world.keys
        given = {
            "supabase_project_ref": keys.project_ref,
            "supabase_access_token": keys.observe_token,
            "supabase_management_url": known.supabase_management_url,
            "database_url": known.database_url.get_secret_value(),  # type: ignore[union-attr]
            "supabase_url": known.supabase_url,
            "supabase_anon_key": keys.anon_key,
            "supabase_service_key": keys.ops_service_key,
            "railway_token": keys.railway_token,
            "railway_url": known.railway_url,
            "probe_accounts": json.dumps(
                [
                    {"purpose": one.purpose, "email": one.email, "password": one.password.get_secret_value()}
                    for one in known.probe_accounts
                ]
            ),
        }
        run("connect", "prod", "--url", str(known.app_url))
        for name, value in given.items():
            monkeypatch.setenv(f"MY_{name.upper()}", str(value))
        sets = [word for name in given for word in ("--set", f"{name}=env:MY_{name.upper()}")]
        said = run("connect", "prod", *sets, "--grant", "observe", "--grant", "platform", "--grant", "probe", "--json")
        granted = {one["level"] for one in said.document["levels"] if one["granted"]}
        assert (said.code, granted) == (0, {"look", "observe", "platform", "probe"})
        assert audit.first_broken(composition.store()) is None
        text = Path(os.environ["OPS_HOME"], "store.sqlite3").read_bytes()
        assert [name for name, value in given.items() if "url" not in name and str(value).encode() in text] == []
        taken = run("connect", "prod", "--take-back", "probe", "--json")
        assert "probe_accounts" in taken.document["taken_out"]

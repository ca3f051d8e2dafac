"""Settings: the guided path as an admin, an operator and a viewer see it; proofs that hold, fail or are void; values
that come from elsewhere; and that nothing typed stays in the session."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dashboard import composition, context, nav
from dashboard.edge.cookies import cookie_name
from dashboard.panels import connecting
from services.access.permissions import Actor, Role
from services.access.sessions import open_session
from services.connecting.grants import create_target, grant, keep_credentials, take_back
from services.connecting.level_proofs import keep_proof
from services.connecting.proofs import Proof, Seen
from services.jobs.queue import JobState, recent_jobs
from services.jobs.worker import Outcome
from services.settings import Level, Settings
from services.verdict import Verdict
from tests.app_test import AppTest
from tests.pages.conftest import MAIN, OpenPage, texts
from tests.pages.world import World

NAME = "production"
TOKEN = "railway-token-0123456789"
OpenSettings = Callable[..., AppTest]


def admin(target: str = NAME, role: Role = Role.ADMIN) -> Actor:
    return Actor(f"{target}:{role.value}", role.value.capitalize(), role, target)


@pytest.fixture
def settings(world: World) -> Callable[[], Settings]:
    """A world with a second target that was just made: it can do nothing but look."""
    values = {"app_url": "http://127.0.0.1:9", "production": True}
    create_target(world.store, world.settings, admin("sandbox"), NAME, values, world.now)
    return composition.settings


@pytest.fixture
def open_settings(world: World, settings: object, monkeypatch: pytest.MonkeyPatch) -> OpenSettings:
    def open_one(role: Role = Role.ADMIN, **query: str) -> AppTest:
        cookies = {cookie_name(NAME): open_session(world.store, admin(role=role), world.now)}
        monkeypatch.setattr(context, "cookies", lambda: cookies)
        app = AppTest.from_file(str(MAIN), default_timeout=20)
        for name, value in {"target": NAME, **query}.items():
            app.query_params[name] = value
        app.run()
        app.switch_page(str(nav.PAGES / nav.entry("/settings").file))
        return app.run()

    return open_one


def told(app: AppTest) -> str:
    return texts(app).replace("\\", "")


def button(app: AppTest, label: str) -> Any:
    return next(one for one in app.button if one.label == label)


def proved(world: World, settings: Callable[[], Settings], level: Level, verdict: Verdict, text: str) -> None:
    proof = Proof(level, verdict, text, (Seen("Platform", verdict, text),), ("It could deploy.",))
    with world.store.write() as tx:
        keep_proof(tx, world.home, settings().target(NAME), proof, "test", world.now)


def give_token(world: World, settings: Callable[[], Settings]) -> None:
    now_it_is = settings()
    keep_credentials(world.store, now_it_is, now_it_is.target(NAME), admin(), {"railway_token": TOKEN}, world.now)


def test_a_new_target_may_look_and_the_next_level_is_opened(open_settings: OpenSettings) -> None:
    app = open_settings()
    assert not app.exception
    said = told(app)
    assert "Granted" in said and said.count("Not granted") == 4
    assert "Observe: read the database" in said
    refused = next(one.value for one in app.dataframe if "Why" in one.value)
    assert {"observe", "platform", "probe", "deploy"} == set(refused["Level"])
    assert button(app, "Grant observe").disabled


def test_the_address_names_the_level_that_is_opened(open_settings: OpenSettings) -> None:
    app = open_settings(level="platform")
    assert "Platform: restart" in told(app)
    button(app, "3 · probe").click().run()
    assert app.query_params["level"] in ("probe", ["probe"])


def test_what_is_typed_is_kept_in_the_file_and_nowhere_in_the_session(
    open_settings: OpenSettings, world: World
) -> None:
    app = open_settings(level="platform")
    next(one for one in app.text_input if one.label == "Railway project token").input(TOKEN)
    button(app, "Keep these").click()
    app.run()
    kept = json.loads((world.home / "targets" / f"{NAME}.json").read_text())
    assert kept["railway_token"] == TOKEN and kept["levels"] == ["look"]
    assert TOKEN not in repr(app.session_state)
    assert TOKEN not in str(app)
    field = next(one for one in app.text_input if one.label == "Railway project token")
    assert (field.value, field.placeholder) == ("", f"set, {len(TOKEN)} characters")


def test_an_empty_form_keeps_what_is_there(
    open_settings: OpenSettings, world: World, settings: Callable[[], Settings]
) -> None:
    give_token(world, settings)
    app = open_settings(level="platform")
    button(app, "Keep these").click().run()
    assert json.loads((world.home / "targets" / f"{NAME}.json").read_text())["railway_token"] == TOKEN


def test_one_test_account_is_changed_and_the_others_stay(
    open_settings: OpenSettings, world: World, settings: Callable[[], Settings]
) -> None:
    accounts = [{"purpose": one, "email": f"{one}@example.com", "password": f"{one}-pw"} for one in ("probe", "ai")]
    now_it_is = settings()
    keep_credentials(world.store, now_it_is, now_it_is.target(NAME), admin(), {"probe_accounts": accounts}, world.now)
    app = open_settings(level="probe")
    [one for one in app.text_input if one.label == "Password"][1].input("another")
    button(app, "Keep these").click().run()
    kept = json.loads((world.home / "targets" / f"{NAME}.json").read_text())
    assert kept["probe_accounts"] == [accounts[0], {**accounts[1], "password": "another"}]
    assert "probe_caps" not in kept


def test_prove_queues_one_job_however_often_it_is_pressed(open_settings: OpenSettings, world: World) -> None:
    app = open_settings(level="platform")
    press = button(app, "Prove platform")
    press.click().run()
    assert [one.payload for one in recent_jobs(world.store, NAME, kind="prove_level")] == [{"level": "platform"}]
    assert button(app, "Prove platform").disabled


def test_a_proof_that_ends_while_the_page_is_drawn_is_not_missed(
    open_settings: OpenSettings, world: World, settings: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    give_token(world, settings)
    app = open_settings(level="platform")
    button(app, "Prove platform").click().run()
    states, world.settings = connecting.level_states, settings()

    def prove(_: object) -> Outcome:
        proved(world, settings, Level.PLATFORM, Verdict.PASS, "The newest deployment serves.")
        return Outcome(JobState.PASSED, "Proved.")

    def ended_meanwhile(*given: Any) -> Any:
        found = states(*given)
        world.worker({"prove_level": prove}).step()
        return found

    monkeypatch.setattr(connecting, "level_states", ended_meanwhile)
    app.run()
    assert "The newest deployment serves." in told(app)
    assert not button(app, "Grant platform").disabled


def test_a_proof_that_holds_opens_the_grant(
    open_settings: OpenSettings, world: World, settings: Callable[[], Settings]
) -> None:
    give_token(world, settings)
    proved(world, settings, Level.PLATFORM, Verdict.PASS, "The newest deployment serves.")
    app = open_settings(level="platform")
    assert "The newest deployment serves." in told(app) and "It could deploy." in told(app)
    button(app, "Grant platform").click().run()
    assert settings().target(NAME).allows(Level.PLATFORM)
    assert "Restart the app" not in str(next(one.value for one in app.dataframe if "Why" in one.value))


def test_a_proof_that_failed_grants_nothing_and_says_why(
    open_settings: OpenSettings, world: World, settings: Callable[[], Settings]
) -> None:
    give_token(world, settings)
    proved(world, settings, Level.PLATFORM, Verdict.FAIL, "Railway refused the token.")
    app = open_settings(level="platform")
    assert "Railway refused the token." in told(app) and "proof failed" in told(app)
    assert button(app, "Grant platform").disabled


def test_a_proof_with_other_keys_is_void(
    open_settings: OpenSettings, world: World, settings: Callable[[], Settings]
) -> None:
    give_token(world, settings)
    proved(world, settings, Level.PLATFORM, Verdict.PASS, "The newest deployment serves.")
    now_it_is = settings()
    values = {"railway_token": f"{TOKEN}-another"}
    keep_credentials(world.store, now_it_is, now_it_is.target(NAME), admin(), values, world.now)
    app = open_settings(level="platform")
    assert "proved with other keys" in told(app)
    assert button(app, "Grant platform").disabled


def test_a_level_that_was_taken_back_says_so(
    open_settings: OpenSettings, world: World, settings: Callable[[], Settings]
) -> None:
    give_token(world, settings)
    proved(world, settings, Level.PLATFORM, Verdict.PASS, "The newest deployment serves.")
    grant(world.store, settings(), settings().target(NAME), Level.PLATFORM, admin(), world.now)
    take_back(world.store, settings(), settings().target(NAME), Level.PLATFORM, admin(), world.now)
    app = open_settings(level="platform")
    assert "Taken back" in told(app)
    assert "Still to fill in: railway_token" in told(app)


def test_whoever_takes_observe_back_gets_the_sql_that_removes_its_role(
    open_settings: OpenSettings, world: World, settings: Callable[[], Settings]
) -> None:
    assert "removes the role" not in str(open_settings(level="observe"))
    address = {"database_url": "postgresql://ops_reader:word@127.0.0.1:9/postgres"}
    keep_credentials(world.store, settings(), settings().target(NAME), admin(), address, world.now)
    proved(world, settings, Level.OBSERVE, Verdict.PASS, "60 rows were read.")
    grant(world.store, settings(), settings().target(NAME), Level.OBSERVE, admin(), world.now)
    take_back(world.store, settings(), settings().target(NAME), Level.OBSERVE, admin(), world.now)
    assert any("DROP ROLE" in one.value for one in open_settings(level="observe").code)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_who_may_not_connect_sees_everything_and_can_do_nothing(open_settings: OpenSettings, role: Role) -> None:
    app = open_settings(role, level="observe")
    assert "Make a scoped access token" in told(app)
    for label in ("Keep these", "Prove observe", "Grant observe", "Make the SQL"):
        assert button(app, label).disabled, label
    assert all(one.disabled for one in app.text_input)


def test_a_value_from_the_environment_is_said_and_cannot_be_changed(
    open_settings: OpenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_TARGETS__PRODUCTION__RAILWAY_TOKEN", TOKEN)
    app = open_settings(level="platform")
    field = next(one for one in app.text_input if one.label == "Railway project token")
    assert field.disabled
    assert "It comes from OPS_TARGETS__PRODUCTION__RAILWAY_TOKEN" in told(app)
    assert TOKEN not in str(app)


def test_levels_from_the_environment_cannot_be_granted_here(
    open_settings: OpenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_TARGETS__PRODUCTION__LEVELS", "look")
    grant_button = button(open_settings(level="platform"), "Grant platform")
    assert grant_button.disabled
    assert "OPS_TARGETS__PRODUCTION__LEVELS" in grant_button.help


def test_the_sql_of_the_reading_role_holds_no_password_and_gives_the_address_one(
    open_settings: OpenSettings, world: World
) -> None:
    app = open_settings(level="observe")
    button(app, "Make the SQL").click().run()
    draft = app.session_state[f"draft-reader-{NAME}"]
    assert draft.sql.strip() in [one.value.strip() for one in app.code] and draft.password not in draft.sql
    assert draft.password not in str(app)
    address = next(one for one in app.text_input if one.label.startswith("Database, as a role"))
    address.input("postgresql://postgres:[YOUR-PASSWORD]@127.0.0.1:5432/postgres")
    button(app, "Keep these").click().run()
    kept = json.loads((world.home / "targets" / f"{NAME}.json").read_text())
    assert kept["database_url"] == f"postgresql://ops_reader:{draft.password}@127.0.0.1:5432/postgres"
    assert f"draft-reader-{NAME}" not in app.session_state
    assert draft.password not in repr(app.session_state)


def test_an_admin_of_one_target_makes_another(open_page: OpenPage, world: World) -> None:
    app = open_page("/settings", Role.ADMIN)
    assert "Refused on production now" not in told(app)
    app.session_state["connect-a-target"] = True
    app.run()
    next(one for one in app.text_input if one.label == "Name").input("staging")
    next(one for one in app.text_input if one.label == "Public address of the app").input("https://app.example.com")
    button(app, "Make this target").click().run()
    assert composition.settings().target("staging").levels == frozenset({Level.LOOK})
    assert "staging is there, and may do nothing but look" in app.success[0].value


def test_a_target_that_cannot_be_made_is_a_sentence_and_what_was_typed_stays(open_page: OpenPage) -> None:
    app = open_page("/settings", Role.ADMIN)
    app.session_state["connect-a-target"] = True
    app.run()
    next(one for one in app.text_input if one.label == "Name").input("sandbox")
    next(one for one in app.text_input if one.label == "Public address of the app").input("https://app.example.com")
    button(app, "Make this target").click().run()
    assert not app.exception
    assert app.error
    assert next(one.value for one in app.text_input if one.label == "Name") == "sandbox"

"""The sources: what can be written where, what wins, and that each value's origin and line stay known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.settings import Level, Settings, SettingsNotUnderstood, load_settings, origin_of
from services.settings.lines import LONGEST, json_lines, toml_lines
from tests.services.settings.mistakes import write

STAGING = "OPS_TARGETS__STAGING__"
OIDC = {
    "OPS_OIDC__METADATA_URL": "https://id.example/.well-known/openid-configuration",
    "OPS_OIDC__CLIENT_ID": "ours",
    "OPS_OIDC__CLIENT_SECRET": "hunter2",
}


def test_a_variable_can_hold_a_list_or_a_part(tmp_path: Path) -> None:
    environ = {
        f"{STAGING}APP_URL": "https://app.example",
        f"{STAGING}PROBE_ACCOUNTS": '[{"purpose": "ai", "email": "a@example.com", "password": "12345"}]',
        f"{STAGING}PROBE_CAPS__RATE_LIMIT__CALLS": "7",
        f"{STAGING}PEOPLE": '[{"name": "Ada", "role": "owner"}]',
        f"{STAGING}LEVELS": "look, probe",
        f"{STAGING}NOTIFY_URLS": "https://one.example json://two.example",
        f"{STAGING}RAILWAY_TOKEN": "4711",
        f"{STAGING}PRODUCTION": "false",
    }
    target = load_settings(environ, tmp_path).target("staging")
    assert target.probe_accounts[0].password.get_secret_value() == "12345"
    assert (target.probe_caps["rate-limit"].calls, target.probe_caps["rate-limit"].cents) == (7, 20.0)
    assert target.people[0].name == "Ada"
    assert target.levels == {Level.LOOK, Level.PROBE}
    assert len(target.notify_urls) == 2
    assert target.railway_token is not None
    assert target.railway_token.get_secret_value() == "4711"
    assert not target.production


def test_levels_can_be_json_too(tmp_path: Path) -> None:
    environ = {f"{STAGING}LEVELS": '["look", "deploy"]'}
    assert load_settings(environ, tmp_path).target("staging").levels == {Level.LOOK, Level.DEPLOY}


def test_a_dash_of_a_name_is_an_underline_in_a_variable(tmp_path: Path) -> None:
    write(tmp_path / ".streamlit" / "secrets.toml", '[targets.staging-eu]\ncolour = "red"\n')
    settings = load_settings({"OPS_TARGETS__STAGING_EU__APP_URL": "https://eu.example"}, tmp_path)
    assert (settings.target("staging-eu").colour, settings.target("staging-eu").app_url) == (
        "red",
        "https://eu.example",
    )


def test_what_is_empty_counts_as_not_set(tmp_path: Path) -> None:
    write(tmp_path / ".streamlit" / "secrets.toml", '[targets.staging]\nrailway_token = ""\ncolour = "red"\n')
    write(tmp_path / ".ops" / "targets" / "staging.json", '{"openai_key": null, "colour": "blue"}')
    environ = {f"{STAGING}COLOUR": "", "OPS_HOME": "", "OPS_STORE_URL": " ", "OPS_TARGET": "", "OPS_HOST": ""}
    settings = load_settings(environ, tmp_path)
    staging = settings.target("staging")
    assert (staging.railway_token, staging.openai_key, staging.colour) == (None, None, "red")
    assert (settings.home, settings.default_target, settings.host) == (tmp_path / ".ops", "sandbox", "127.0.0.1")


def test_settings_of_ours_by_file_and_by_variable(tmp_path: Path) -> None:
    ours = '[ops]\nhost = "0.0.0.0"\ntarget = "staging"\narm_hours = 2\n'
    write(tmp_path / ".streamlit" / "secrets.toml", f'[auth]\ncookie_secret = "theirs"\n{ours}[targets.staging]\n')
    settings = load_settings({"OPS_ARM_HOURS": "3", **OIDC}, tmp_path)
    assert (settings.host, settings.default_target, settings.arm_hours) == ("0.0.0.0", "staging", 3)
    assert settings.oidc is not None
    assert settings.oidc.client_id == "ours"
    assert "hunter2" not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()


def test_the_parts_of_a_key_come_from_several_sources(tmp_path: Path) -> None:
    write(
        tmp_path / ".ops" / "targets" / "staging.json", '{"probe_caps": {"ai": {"calls": 1, "cents": 2}, "probe": {}}}'
    )
    target = load_settings({f"{STAGING}PROBE_CAPS__AI__CALLS": "9"}, tmp_path).target("staging")
    assert (target.probe_caps["ai"].calls, target.probe_caps["ai"].cents) == (9, 2)
    assert "probe" in target.probe_caps


def test_the_origin_of_each_value_is_known_and_never_shown(tmp_path: Path) -> None:
    write(tmp_path / ".ops" / "targets" / "staging.json", '{"app": "pulsecheck", "colour": "red", "production": false}')
    write(tmp_path / ".streamlit" / "secrets.toml", '[targets.staging]\ncolour = "blue"\n[ops]\narm_hours = 2\n')
    settings = load_settings({f"{STAGING}APP_URL": "https://app.example", "OPS_TARGET": "staging"}, tmp_path)
    origins = {key: origin_of(settings, "staging", key) for key in ("app", "colour", "app_url", "people")}
    assert origins == {
        "app": "targets/staging.json",
        "colour": "secrets.toml",
        "app_url": f"{STAGING}APP_URL",
        "people": None,
    }
    assert origin_of(settings, "", "arm_hours") == "secrets.toml"
    assert origin_of(settings, "", "default_target") == "OPS_TARGET"
    assert "origins" not in repr(settings)
    assert "origins" not in settings.model_dump()


def test_made_by_hand_it_asks_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_HOST", "0.0.0.0")
    assert Settings(home=tmp_path, store_url="sqlite:///x").host == "127.0.0.1"


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    write(tmp_path / ".streamlit" / "secrets.toml", b'\xef\xbb\xbf[targets.live]\r\ncolour = "red"\r\n')
    write(tmp_path / ".ops" / "targets" / "other.json", b'\xef\xbb\xbf{"colour":\r\n"red"}')
    assert {one.colour for one in load_settings({}, tmp_path).targets.values()} == {"red"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0", "::1"])
def test_an_address_to_listen_on(tmp_path: Path, host: str) -> None:
    assert load_settings({"OPS_HOST": host}, tmp_path).host == host


def test_other_variables_are_let_be(tmp_path: Path) -> None:
    environ = {
        "OPS_CLI_ROLE__STAGING": "admin",
        "OPS_APPS": "/x",
        "OPS_SOMETHING_OF_YOURS": "x",
        "STORE_URL": "x",
        "OPS_ORIGINS": "{}",
    }
    assert load_settings(environ, tmp_path).targets == {}


def test_a_key_that_may_be_a_secret_is_not_repeated(tmp_path: Path) -> None:
    write(tmp_path / ".streamlit" / "secrets.toml", '[targets.live]\n"sk-proj-hunter2" = "openai_key"\n')
    with pytest.raises(SettingsNotUnderstood) as refused:
        load_settings({}, tmp_path)
    assert "hunter2" not in str(refused.value)


def test_levels_that_lost_their_credential_on_the_screen_are_no_mistake(tmp_path: Path) -> None:
    write(tmp_path / ".ops" / "targets" / "staging.json", '{"colour": "red"}')
    assert load_settings({f"{STAGING}LEVELS": "look,observe"}, tmp_path).target("staging").allows(Level.OBSERVE)
    write(tmp_path / ".ops" / "targets" / "staging.json", '{"levels": ["look", "observe"]}')
    assert load_settings({}, tmp_path).target("staging").allows(Level.OBSERVE)


def test_lines_of_toml_are_those_on_which_a_key_begins() -> None:
    text = (
        "# one\n\n[targets.a]\n"
        'levels = [\n  "look",\n]\n'
        "# between\n"
        'text = """\n[targets.b]\n"""\n'
        '[[targets.a.people]]\nname = "x"\n[[targets.a.people]]\n\nname = "y"\n'
        "[targets]\nb.colour = 1\n"
    ).replace("[targets]\nb.colour", "[ops]\nb.colour")
    lines = toml_lines(text)
    a = ("targets", "a")
    assert [lines[a], lines[*a, "levels"], lines[*a, "text"]] == [3, 4, 8]
    assert [lines[*a, "people", 0, "name"], lines[*a, "people", 1], lines[*a, "people", 1, "name"]] == [12, 13, 15]
    assert lines["ops", "b", "colour"] == 17
    assert ("targets", "b") not in lines


def test_a_text_that_is_too_long_has_no_lines() -> None:
    assert toml_lines("a = 1\n" * 1 + "\n" * LONGEST) == {}


def test_lines_of_json_are_those_of_its_keys() -> None:
    text = '{"a": 1,\n "b": {"c": [],\n"d\\n": "x{[,"},\n"e": [1,\n{"f": null}]\n, "g": true}'
    json.loads(text)
    assert json_lines(text) == {
        ("a",): 1, ("b",): 2, ("b", "c"): 2, ("b", "d\n"): 3, ("e",): 4, ("e", 0): 4, ("e", 1): 5,
        ("e", 1, "f"): 5, ("g",): 6,
    }  # fmt: skip
    assert json_lines("{}") == {}

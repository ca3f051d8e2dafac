"""Settings: every problem at once, each with its key and without its value; later sources win."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.errors import NotUnderstood, Refused
from services.settings import Level, Target, load_settings


def target_file(root: Path, name: str, **values: object) -> None:
    folder = root / ".ops" / "targets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(values))


def secrets(root: Path, text: str) -> None:
    (root / ".streamlit").mkdir(exist_ok=True)
    (root / ".streamlit" / "secrets.toml").write_text(text)


def test_nothing_configured_is_no_error_and_no_target(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert settings.targets == {}
    assert settings.store_url == f"sqlite:///{tmp_path / '.ops' / 'store.sqlite3'}"
    with pytest.raises(NotUnderstood, match="no target called 'sandbox'"):
        settings.target()


def test_the_environment_wins_over_secrets_and_secrets_over_files(tmp_path: Path) -> None:
    target_file(tmp_path, "staging", app_url="http://file", colour="blue", production=False)
    secrets(tmp_path, '[targets.staging]\napp_url = "http://secrets"\nlevels = ["look", "observe"]\n')
    settings = load_settings({"OPS_TARGETS__STAGING__APP_URL": "http://environment"}, tmp_path)
    staging = settings.target("staging")
    assert (staging.app_url, staging.colour) == ("http://environment", "blue")
    assert staging.levels == {Level.LOOK, Level.OBSERVE}


def test_a_new_target_may_only_be_looked_at(tmp_path: Path) -> None:
    target = load_settings({"OPS_TARGETS__LIVE__APP_URL": "https://example.com"}, tmp_path).target("live")
    target.require(Level.LOOK)
    assert target.production
    with pytest.raises(Refused, match="level 'deploy'") as caught:
        target.require(Level.DEPLOY)
    assert caught.value.place == "targets.live.levels"


def test_all_problems_are_told_at_once_with_their_places_and_without_values(tmp_path: Path) -> None:
    target_file(tmp_path, "one", app_url="ftp://hunter2")
    secrets(tmp_path, '[targets.two]\ndatabase_url = "mysql://hunter2"\ncolor = "red"\n')
    environ = {"OPS_TARGETS__THREE__LEVELS": "look,fly", "OPS_TARGETS__BAD": "x", "OPS_STORE_URL": "redis://hunter2"}
    with pytest.raises(NotUnderstood) as caught:
        load_settings(environ, tmp_path)
    told = str(caught.value)
    for part in (
        "targets/one.json:1: targets.one.app_url ",
        ".streamlit/secrets.toml:2: targets.two.database_url ",
        ".streamlit/secrets.toml:3: targets.two.color ",
        "OPS_TARGETS__THREE__LEVELS ",
        "OPS_TARGETS__BAD ",
        "OPS_STORE_URL ",
    ):
        assert part in told
    assert "6 problems" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("secrets.toml", "targets = 3", "secrets.toml"),
        ("secrets.toml", "[targets\n", "secrets.toml"),
        ("secrets.toml", "[targets]\nlive = 3\n", "secrets.toml"),
        ("live.json", "{", "live.json"),
        ("live.json", "[]", "live.json"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: str, text: str, place: str) -> None:
    target_file(tmp_path, "live")
    secrets(tmp_path, "")
    folder = tmp_path / (".streamlit" if file == "secrets.toml" else ".ops/targets")
    (folder / file).write_text(text)
    with pytest.raises(NotUnderstood, match=place):
        load_settings({}, tmp_path)


def test_our_store_may_not_be_a_targets_database(tmp_path: Path) -> None:
    environ = {
        "OPS_TARGETS__LIVE__DATABASE_URL": "postgresql://u:p@host/db",
        "OPS_STORE_URL": "postgresql://u:p@host/db?sslmode=require",
    }
    with pytest.raises(NotUnderstood, match="OPS_STORE_URL"):
        load_settings(environ, tmp_path)


def test_a_secret_shows_nothing_of_itself() -> None:
    target = Target(name="live", railway_token="hunter2-token", database_url="postgresql://u:hunter2@h/d")
    assert "hunter2" not in repr(target) + str(target) + target.model_dump_json()

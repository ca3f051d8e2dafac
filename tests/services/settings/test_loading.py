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


REF = "abcdefghijklmnopqrst"
HOSTED = f"""
[targets.live]
production = true
colour = "red"
levels = ["look", "observe", "platform", "probe", "deploy"]
app_url = "https://app.example/api/"
database_url = "postgresql://ops_reader.abcdefghijklmnopqrst:p%40ss@aws-0-eu-west-1.pooler.supabase.com:5432/postgres"
supabase_url = "https://{REF}.supabase.co"
supabase_anon_key = "sb_publishable_x"
supabase_service_key = "sb_secret_x"
supabase_management_url = "https://api.supabase.com"
supabase_access_token = "sbp_fcx"
supabase_project_ref = "abcdefghijklmnopqrst"
railway_url = "https://backboard.railway.com/graphql/v2"
railway_token = "0c0f3b1e-0000-4000-8000-000000000000"
openai_url = "https://api.openai.com/v1"
openai_key = "sk-proj-x"
openai_admin_key = "sk-admin-x"
backup_recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
probe_accounts = [{{ purpose = "rate-limit", email = "ops@example.com", password = "'odd <b> pass'wörd" }}]
"""


def test_a_target_with_everything_as_it_should_be_is_good(tmp_path: Path) -> None:
    secrets(tmp_path, HOSTED)
    live = load_settings({}, tmp_path).target("live")
    assert live.app_url == "https://app.example/api"
    assert live.levels == set(Level)


@pytest.mark.parametrize(
    "change", [("supabase_project_ref = ", "# "), ("supabase_url = ", "# "), ("database_url = ", "# ")]
)
def test_what_is_left_out_is_not_compared(tmp_path: Path, change: tuple[str, str]) -> None:
    secrets(tmp_path, HOSTED.replace(*change))
    assert load_settings({}, tmp_path).target("live").name == "live"


def test_a_database_of_another_project_is_told(tmp_path: Path) -> None:
    secrets(tmp_path, HOSTED.replace("ops_reader.abcdefghijklmnopqrst", "ops_reader.tsrqponmlkjihgfedcba"))
    with pytest.raises(NotUnderstood, match="another project than database_url"):
        load_settings({}, tmp_path)


def test_a_key_of_ssh_can_be_a_recipient(tmp_path: Path) -> None:
    key = f"ssh-ed25519 {'A' * 68} somebody@example"
    recipient = HOSTED.split("backup_recipient = ")[1].split("\n")[0]
    secrets(tmp_path, HOSTED.replace(recipient, f'"{key}"'))
    assert load_settings({}, tmp_path).target("live").backup_recipient == key

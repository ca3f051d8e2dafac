"""Warnings: each thing that works and should not stay gives one, with its place; a sound target gives none."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from services.settings import Settings, Target
from services.settings.file_facts import FileFacts, index_names, is_tracked, settings_files
from services.settings.warnings import SettingsWarning, warnings_of

NOW = datetime(2026, 11, 23, tzinfo=UTC)
REF, OTHER = "abcdefghijklmnopqrst", "tsrqponmlkjihgfedcba"
OWNER = f"postgresql://postgres.{REF}:hunter2@aws-0-eu-west-1.pooler.supabase.com/p?sslmode=require"
ACCOUNT = {"purpose": "ai", "email": "a@b.c", "password": "x"}
UNUSED = {"levels": ["look"], "database_url": None, "supabase_access_token": "sbp_x", "railway_token": None}
POOLER = f"ops_reader.{REF}:hunter2@aws-0-eu-west-1.pooler.supabase.com"


def key(role: str, **claims: Any) -> str:
    return jwt.encode({"role": role, **claims}, "hunter2" * 8, algorithm="HS256")


def warned(root: Path, targets: Mapping[str, Mapping[str, Any]], **ours: Any) -> list[SettingsWarning]:
    made = {name: Target(name=name, **values) for name, values in targets.items()}
    values = {"home": root / ".ops", "store_url": f"sqlite:///{root}/store.sqlite3", "targets": made, **ours}
    return warnings_of(Settings(**values), root, NOW, files=[])


SOUND: dict[str, Any] = {
    "levels": ["look", "observe", "platform"],
    "app_url": "https://app.example",
    "database_url": f"postgresql://{POOLER}:5432/postgres?sslmode=require",
    "supabase_url": f"https://{REF}.supabase.co",
    "supabase_anon_key": "sb_publishable_x",
    "railway_token": "t",
}
ALONE: list[tuple[str, dict[str, Any], str, str]] = [
    ("transaction-pooler", {"database_url": f"postgresql://{POOLER}:6543/p?sslmode=require"}, "database_url", "pooler"),
    ("direct", {"database_url": f"postgresql://r:x@db.{REF}.supabase.co/p?sslmode=require"}, "database_url", "IPv6"),
    ("no-tls", {"database_url": f"postgresql://{POOLER}:5432/postgres"}, "database_url", "TLS"),
    ("owner", {"database_url": OWNER}, "database_url", "change everything"),
    ("legacy-key", {"supabase_anon_key": key("anon")}, "supabase_anon_key", "ends in 39 days"),
    (
        "key-ends",
        {"supabase_anon_key": key("anon", exp=int(NOW.timestamp()) + 864_000)},
        "supabase_anon_key",
        "in 10 days",
    ),
    ("key-has-ended", {"supabase_service_key": key("service_role", exp=1)}, "supabase_service_key", "has ended"),
    ("plain-http", {"app_url": "http://app.example"}, "app_url", "http://"),
    ("level-without-credential", {"railway_token": None}, "levels", "'platform'"),
    ("unused-accounts", {"probe_accounts": [ACCOUNT]}, "levels", "probe_accounts"),
    ("unused-key", UNUSED, "levels", "supabase_access_token"),
]


def test_a_sound_target_is_warned_of_nothing(tmp_path: Path) -> None:
    assert warned(tmp_path, {"live": SOUND}) == []


@pytest.mark.parametrize(("change", "place", "part"), [one[1:] for one in ALONE], ids=[one[0] for one in ALONE])
def test_a_target_alone(tmp_path: Path, change: dict[str, Any], place: str, part: str) -> None:
    (warning,) = warned(tmp_path, {"live": {**SOUND, **change}})
    assert warning.place == f"targets.live.{place}"
    assert part in f"{warning.what}"
    assert warning.means
    assert warning.do
    assert "hunter2" not in str(warning)


def test_keys_on_this_machine_are_no_legacy_keys(tmp_path: Path) -> None:
    here = {"supabase_url": "http://127.0.0.1:1", "supabase_anon_key": key("anon")}
    assert warned(tmp_path, {"sandbox": {"production": False, "levels": ["look", "observe"], **here}}) == []


def test_a_name_of_production_that_is_not_marked_so(tmp_path: Path) -> None:
    (warning,) = warned(tmp_path, {"production": {"production": False}})
    assert warning.place == "targets.production.production"


SHARED: list[dict[str, Any]] = [
    {"supabase_project_ref": REF},
    {"database_url": "postgresql://r:x@db.example/p?sslmode=require", "levels": ["look", "observe"]},
    {"railway_service_id": "5f0c"},
    {"app_url": "https://app.example"},
]


@pytest.mark.parametrize("values", SHARED, ids=lambda one: next(iter(one)))
def test_a_staging_that_is_production(tmp_path: Path, values: dict[str, Any]) -> None:
    targets = {"live": values, "staging": {**values, "production": False}}
    (warning,) = warned(tmp_path, targets)
    assert "staging is not marked as production and has" in warning.what
    assert warning.place == "targets.staging.production"


def test_one_project_by_its_address_and_by_a_pooler_is_the_same(tmp_path: Path) -> None:
    by_address = {"supabase_url": f"https://{REF}.supabase.co"}
    by_pooler = {"database_url": f"postgresql://{POOLER}:5432/p?sslmode=require", "levels": ["look", "observe"]}
    (warning,) = warned(tmp_path, {"one": by_address, "two": by_pooler})
    assert "the Supabase project in common" in warning.what


def test_two_targets_in_one_colour_of_which_one_is_production(tmp_path: Path) -> None:
    (warning,) = warned(tmp_path, {"live": {}, "staging": {"production": False}})
    assert "same colour" in warning.what
    assert warned(tmp_path, {"live": {"colour": "red"}, "staging": {"production": False}}) == []


@pytest.mark.parametrize(
    ("ours", "place"),
    [
        ({"host": "0.0.0.0"}, "public_url"),
        ({"store_url": f"postgresql://u.{REF}:x@aws-0-eu-west-1.pooler.supabase.com/ops"}, "store_url"),
    ],
)
def test_what_concerns_ourselves(tmp_path: Path, ours: dict[str, Any], place: str) -> None:
    (warning,) = warned(tmp_path, {"live": SOUND}, **ours)
    assert warning.place == place


def test_backups_in_our_own_folder(tmp_path: Path) -> None:
    (warning,) = warned(tmp_path, {"live": {**SOUND, "backup_folder": tmp_path / ".ops" / "backups"}})
    assert warning.place == "targets.live.backup_folder"


def test_files_that_others_read_or_git_keeps(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / ".ops", store_url="sqlite:///x")
    files = [FileFacts("a", 0o600, False), FileFacts("b", 0o640, None), FileFacts("c", 0o600, True)]
    told = {warning.place: warning.what for warning in warnings_of(settings, tmp_path, NOW, files)}
    assert set(told) == {"b", "c"}
    assert "other accounts" in told["b"]
    assert "git" in told["c"]


Git = Callable[..., None]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    def call(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    call("init", "-q")
    return call


def test_what_git_keeps_is_read_from_its_index(tmp_path: Path, git: Git) -> None:
    for name in ("secrets.toml", "kept.toml", "a/deeper/folder/with-a-long-name.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert is_tracked(tmp_path / "kept.toml") is False
    git("add", "kept.toml", "a")
    assert is_tracked(tmp_path / "kept.toml") is True
    assert is_tracked(tmp_path / "a/deeper/folder/with-a-long-name.toml") is True
    assert is_tracked(tmp_path / "secrets.toml") is False


def test_an_index_of_another_kind_is_unknown(tmp_path: Path, git: Git) -> None:
    (tmp_path / "kept.toml").write_text("")
    git("add", "kept.toml")
    git("update-index", "--index-version", "4")
    assert is_tracked(tmp_path / "kept.toml") is None
    assert index_names(b"DIRC\0\0\0\2\0\0\0\7") is None


def test_the_settings_files_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text("")
    (tmp_path / ".streamlit" / "secrets.toml").chmod(0o644)
    (tmp_path / ".ops" / "targets" / "odd.json").mkdir(parents=True)
    (tmp_path / ".ops" / "targets" / "live.json").write_text("{}")
    (tmp_path / ".ops" / "targets" / "live.json").chmod(0o600)
    found = {file.shown: file.mode for file in settings_files(tmp_path / ".ops", tmp_path)}
    assert found == {".streamlit/secrets.toml": 0o644, "targets/live.json": 0o600}

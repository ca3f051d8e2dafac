"""The sandbox's keys and accounts: private, made once, and what an older file lacks is added."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from services.sandbox.keys import load_keys
from services.sandbox.railway_view import Ids

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)


def test_what_an_older_file_of_keys_lacks_is_added_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    values = load_keys(path, NOW).model_dump(mode="json")
    older = {name: value for name, value in values.items() if not name.startswith("ops_")}
    older["accounts"] = [
        {name: one[name] for name in ("id", "name", "email", "password", "ops_role")} for one in older["accounts"][:4]
    ]
    path.write_text(json.dumps(older))
    keys = load_keys(path, NOW)
    assert load_keys(path, NOW) == keys
    assert {name: value for name, value in keys.model_dump(mode="json").items() if name in older} | {
        "accounts": older["accounts"]
    } == older
    assert [one.password for one in keys.accounts[:4]] == [one["password"] for one in older["accounts"]]
    assert len({keys.openai_key, keys.ops_openai_key, keys.service_key, keys.ops_service_key}) == 4


def test_the_test_accounts_are_no_operators_and_only_one_is_the_apps_admin(tmp_path: Path) -> None:
    accounts = {one.purpose: one for one in load_keys(tmp_path / "keys.json", NOW).accounts if one.purpose}
    assert set(accounts) == {"probe", "ai", "rate-limit", "admin", "edited-metadata"}
    assert [one.app_metadata["ops_role"] for one in accounts.values() if "ops_role" in one.app_metadata] == []
    assert [name for name, one in accounts.items() if one.app_metadata.get("role") == "admin"] == ["admin"]
    assert [name for name, one in accounts.items() if one.user_metadata.get("role") == "admin"] == ["edited-metadata"]


def test_a_world_is_named_by_the_file_that_is_there_before_it(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"name": "production"}))
    keys = load_keys(tmp_path / "keys.json", NOW)
    assert {one.email for one in keys.accounts if one.ops_role} == {
        f"{role}@production.example" for role in ("viewer", "operator", "admin")
    }
    assert Ids.of(keys.name).service != Ids().service == Ids.of("sandbox").service


def test_keys_are_private_and_stay_the_same(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "keys.json", NOW)
    assert load_keys(tmp_path / "keys.json", NOW + timedelta(days=30)) == first
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert jwt.decode(first.anon_key, first.jwt_secret, algorithms=["HS256"])["role"] == "anon"
    assert uuid.UUID(first.accounts[0].id)

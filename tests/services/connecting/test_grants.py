"""Granting and taking back: who may, on what proof, what it writes, and that nothing of a value is left anywhere."""

from __future__ import annotations

import json
import stat
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from services.access.permissions import Actor, Role
from services.connecting.level_proofs import newest_proof
from services.errors import NotUnderstood, OpsError, Refused
from services.jobs.queue import JobState, enqueue, job
from services.settings import Level
from services.store import audit
from services.store.tables import metadata
from services.verdict import Verdict
from tests.services.connecting.conftest import ADA, NOON, URL, Home

TOKEN = "rw-token-4711-secret"
DSN = "postgresql://ops_reader:hunter2secret@127.0.0.1:5432/postgres"


def actions(home: Home) -> list[str]:
    return [entry.action for entry in reversed(audit.entries(home.store))]


def platform_granted(home: Home) -> None:
    home.make()
    home.keep(railway_token=TOKEN)
    home.proved(Level.PLATFORM)
    home.grant(Level.PLATFORM)


def test_a_new_target_can_look_and_its_file_is_ours_alone(home: Home) -> None:
    home.make()
    assert home.target.levels == {Level.LOOK}
    assert (home.target.production, home.target.founder) == (True, "cli:ada")
    assert stat.S_IMODE(home.file.stat().st_mode) == 0o600
    assert [one.name for one in home.file.parent.iterdir() if one.suffix == ".json"] == ["prod.json"]


def test_making_the_same_target_twice_is_one_making_and_another_one_of_its_name_is_refused(home: Home) -> None:
    home.make()
    home.make()
    assert actions(home) == ["create target"]
    with pytest.raises(Refused, match="already"):
        home.make({"app_url": "https://other.example.com"})
    assert home.target.app_url == URL


@pytest.mark.parametrize("name", ["Prod", "sandbox", "", "../prod", "a b", "database"])
def test_a_target_has_a_name_that_can_be_used(home: Home, name: str) -> None:
    with pytest.raises(NotUnderstood, match="cannot be called"):
        home.make(name=name)


@pytest.mark.parametrize("values", [{"app_url": "app.example.com"}, {"app_url": URL, "levels": ["deploy"]}, {}])
def test_a_target_that_settings_would_not_take_is_not_made(home: Home, values: dict[str, object]) -> None:
    with pytest.raises(NotUnderstood):
        home.make(values or {"production": True})
    assert not home.file.exists()
    assert actions(home) == []


def test_a_stranger_and_an_operator_make_no_target(home: Home) -> None:
    home.make()
    for actor in (
        Actor("u-1", "Somebody", Role.ADMIN, "elsewhere"),
        Actor("u-2", "Olof", Role.OPERATOR, "prod"),
    ):
        with pytest.raises(Refused):
            home.make(actor=actor, name="staging")
    assert set(home.settings.targets) == {"prod"}


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
def test_only_an_admin_of_the_target_itself_changes_it(home: Home, role: Role) -> None:
    platform_granted(home)
    before = home.file.read_text()
    for actor in (Actor("u", "Olof", role, "prod"), Actor("u", "Ada", Role.ADMIN, "staging")):
        with pytest.raises(Refused):
            home.keep(actor=actor, railway_token="other")
        with pytest.raises(Refused):
            home.grant(Level.OBSERVE, actor=actor)
        with pytest.raises(Refused):
            home.take_back(Level.PLATFORM, actor=actor)
    assert home.file.read_text() == before


def test_keeping_grants_nothing_and_adds_what_follows(home: Home) -> None:
    home.make()
    assert home.keep(railway_token=TOKEN) == ()
    assert home.target.levels == {Level.LOOK}
    assert home.target.railway_url == "https://backboard.railway.com/graphql/v2"
    assert stat.S_IMODE(home.file.stat().st_mode) == 0o600


def test_keeping_the_same_again_is_no_second_entry(home: Home) -> None:
    home.make()
    home.keep(railway_token=TOKEN)
    home.keep(railway_token=TOKEN)
    assert actions(home) == ["create target", "keep credentials"]


def test_a_level_is_granted_on_a_proof_that_passed_within_the_hour_with_these_keys(home: Home) -> None:
    home.make()
    home.keep(railway_token=TOKEN)
    with pytest.raises(Refused, match="has not been proved"):
        home.grant(Level.PLATFORM)
    home.proved(Level.PLATFORM, Verdict.UNKNOWN)
    with pytest.raises(Refused, match="did not pass"):
        home.grant(Level.PLATFORM)
    home.proved(Level.PLATFORM, at=NOON - timedelta(minutes=61))
    with pytest.raises(Refused, match="older than an hour"):
        home.grant(Level.PLATFORM)
    home.proved(Level.PLATFORM)
    with pytest.raises(Refused, match="has not been proved"):
        home.grant(Level.OBSERVE)
    assert home.state(Level.PLATFORM).may_be_granted
    home.grant(Level.PLATFORM)
    home.grant(Level.PLATFORM)
    assert home.target.levels == {Level.LOOK, Level.PLATFORM}
    assert actions(home).count("grant level") == 1


def test_other_keys_make_a_proof_void(home: Home) -> None:
    home.make()
    home.keep(railway_token=TOKEN)
    home.proved(Level.PLATFORM)
    home.keep(railway_token="another-token-0815")
    state = home.state(Level.PLATFORM)
    assert (state.proof, state.void, state.may_be_granted) == (None, True, False)
    with pytest.raises(Refused, match="other credentials"):
        home.grant(Level.PLATFORM)
    home.keep(railway_token=TOKEN)
    assert home.state(Level.PLATFORM).proof is not None


def test_another_address_of_the_app_makes_every_proof_void(home: Home) -> None:
    home.make()
    home.keep(railway_token=TOKEN)
    home.proved(Level.PLATFORM)
    home.keep(app_url="https://elsewhere.example.com")
    assert home.state(Level.PLATFORM).void


def test_who_replaces_the_key_of_a_granted_level_has_to_prove_it_again(home: Home) -> None:
    platform_granted(home)
    assert home.keep(supabase_project_ref="abcdefghijklmnopqrst") == ()
    assert home.keep(railway_token="another-token-0815") == (Level.PLATFORM,)
    assert home.target.levels == {Level.LOOK}
    assert audit.entries(home.store)[0].detail["levels_taken_back"] == ["platform"]


def test_a_digest_is_no_oracle(home: Home) -> None:
    """Equal keys make unequal digests, and another home's key makes another digest of the same proof."""
    home.make()
    home.keep(railway_token=TOKEN)
    home.proved(Level.PLATFORM)
    home.proved(Level.PLATFORM)
    with home.store.read() as tx:
        digests = [row.body["digest"] for row in tx.execute(select(metadata.tables["level_proofs"]))]
    assert len(set(digests)) == 2
    key = home.folder / "proofs.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.unlink()
    kept = newest_proof(home.store, home.folder, home.target, Level.PLATFORM)
    assert kept is not None
    assert not kept.holds


def test_taking_back_takes_the_level_its_own_keys_and_no_others(home: Home) -> None:
    home.make()
    home.keep(database_url=DSN, supabase_url="https://db.example.com", supabase_anon_key="sb_publishable_x")
    home.proved(Level.OBSERVE)
    home.grant(Level.OBSERVE)
    home.proved(Level.PROBE)
    home.grant(Level.PROBE)
    assert home.take_back(Level.OBSERVE) == ("database_url",)
    assert home.target.levels == {Level.LOOK, Level.PROBE}
    assert home.target.supabase_anon_key is not None
    assert set(home.take_back(Level.PROBE)) == {"supabase_url", "supabase_anon_key"}
    assert home.take_back(Level.PROBE) == ()
    assert json.loads(home.file.read_text()) == {
        "app_url": URL,
        "founder": "cli:ada",
        "levels": ["look"],
    }
    assert actions(home).count("take back level") == 2


def test_look_is_always_there(home: Home) -> None:
    home.make()
    with pytest.raises(Refused, match="cannot be taken back"):
        home.take_back(Level.LOOK)


def test_jobs_of_a_level_that_is_taken_back_are_stopped(home: Home) -> None:
    platform_granted(home)
    asked = {
        kind: enqueue(
            home.store, actor=ADA, kind=kind, target=home.target, payload={}, idempotency_key=kind, now=NOON
        ).id
        for kind in ("restart", "check")
    }
    home.take_back(Level.PLATFORM)
    assert job(home.store, asked["restart"]).state is JobState.CANCELLED
    assert job(home.store, asked["check"]).state is JobState.QUEUED
    with pytest.raises(Refused, match="level 'platform'"):
        enqueue(home.store, actor=ADA, kind="restart", target=home.target, payload={}, idempotency_key="2", now=NOON)


def test_what_the_environment_says_is_not_changed_here_and_its_place_is_named(home: Home) -> None:
    home.make()
    home.environ = {"OPS_TARGETS__PROD__RAILWAY_TOKEN": TOKEN}
    with pytest.raises(Refused, match="OPS_TARGETS__PROD__RAILWAY_TOKEN"):
        home.keep(railway_token="mine")
    # A level can still be granted on a key from there, and its proof is of that key.
    home.proved(Level.PLATFORM)
    home.grant(Level.PLATFORM)
    assert home.target.allows(Level.PLATFORM)
    home.environ["OPS_TARGETS__PROD__LEVELS"] = "look,observe,platform"
    assert home.state(Level.PLATFORM).from_where == "OPS_TARGETS__PROD__LEVELS"
    with pytest.raises(Refused, match="OPS_TARGETS__PROD__LEVELS"):
        home.take_back(Level.PLATFORM)


def test_a_production_target_keeps_no_address_of_its_owner(home: Home) -> None:
    home.make()
    with pytest.raises(NotUnderstood, match="production"):
        home.keep(deploy_url=DSN)
    assert "deploy_url" not in home.file.read_text()


@pytest.mark.parametrize("values", [{"levels": ["deploy"]}, {"founder": "me"}, {"production": False}, {"nonsense": 1}])
def test_nothing_but_keys_of_levels_is_kept(home: Home, values: dict[str, object]) -> None:
    home.make()
    with pytest.raises(NotUnderstood, match="cannot be set here"):
        home.keep(**values)


def test_where_the_file_cannot_be_written_nothing_is_audited_and_nothing_changed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.make()

    def fails(*_: object) -> None:
        raise OSError("disk full")

    home.keep(railway_token=TOKEN)
    before = home.file.read_text()
    monkeypatch.setattr("pathlib.Path.replace", fails)
    with pytest.raises(OpsError):
        home.keep(railway_token="another")
    assert home.file.read_text() == before
    assert actions(home) == ["create target", "keep credentials"]


def test_where_the_audit_cannot_be_written_the_file_is_as_it_was(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    platform_granted(home)
    before = home.file.read_text()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr(audit, "record", fails)
    with pytest.raises(RuntimeError):
        home.take_back(Level.PLATFORM)
    assert home.file.read_text() == before


def test_no_value_is_in_the_store_the_errors_or_the_levels_states(home: Home) -> None:
    home.make()
    home.keep(railway_token=TOKEN, database_url=DSN)
    home.proved(Level.PLATFORM)
    home.grant(Level.PLATFORM)
    with pytest.raises(NotUnderstood) as told:
        home.keep(database_url="hunter2secret@nowhere")
    home.take_back(Level.PLATFORM)
    with home.store.read() as tx:
        dump = "".join(
            str(row)
            for table in metadata.sorted_tables
            for row in tx.execute(text(f"select * from {table.name}")).mappings()
        )
    said = f"{dump}{told.value}{told.value.to_json()}{home.state(Level.OBSERVE)}"
    assert TOKEN not in said
    assert "hunter2secret" not in said
    assert audit.first_broken(home.store) is None

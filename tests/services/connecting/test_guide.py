"""The guide: every action and check stands at the level that allows it, links lead to the target's own pages."""

from __future__ import annotations

from itertools import chain

import pytest
from graphql import parse, validate

from services.access.permissions import Permission
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.connecting.guide import actions_of, checks_of, guide_of, guides_of
from services.connecting.keys import CREDENTIALS, completed, keys_of, missing, used_by
from services.connecting.links import PLATFORM_LINKS
from services.connecting.powers import could_also, is_scoped, is_secret_key
from services.connecting.railway_token import ALL
from services.connecting.refusals import refusals
from services.connecting.steps import READ_SCOPES, STEPS
from services.jobs.kinds import KINDS
from services.sandbox.railway import railway_schema
from services.sandbox.supabase_permissions import READ_ONLY_SCOPES
from services.settings import Level, Target
from services.settings.levels import WORKS_WITH
from tests.services.connecting.conftest import NOON, Home

APP = load_app("pulsecheck")
NEW = Target(name="prod", app_url="https://app.example.com")
REF = "abcdefghijklmnopqrst"


def test_every_check_becomes_possible_at_exactly_one_level() -> None:
    told = list(chain.from_iterable(checks_of(level, APP) for level in Level))
    assert sorted(told) == sorted(spec.title for spec in catalogue_of(APP))


def test_every_action_stands_at_its_own_level() -> None:
    disposable = NEW.model_copy(update={"fault_control_url": "http://127.0.0.1:1"})
    for kind in KINDS.values():
        if kind.permission is not Permission.CONNECT:
            assert kind.title in actions_of(kind.level, disposable)
    assert "Break something" not in str(guides_of(APP, NEW))


@pytest.mark.parametrize(
    ("check", "level"),
    [
        ("api-answers", Level.LOOK),
        ("database-direct", Level.OBSERVE),
        ("deployment-state", Level.PLATFORM),
        ("openai-key", Level.PROBE),
        ("journal-roundtrip", Level.PROBE),
    ],
)
def test_a_check_waits_for_the_key_that_it_needs(check: str, level: Level) -> None:
    assert catalogue_of(APP)[check].title in checks_of(level, APP)


def test_links_lead_to_the_pages_of_the_targets_own_project() -> None:
    known = NEW.model_copy(update={"supabase_project_ref": REF})
    urls = {step.link.url for step in guide_of(Level.OBSERVE, APP, known).steps if step.link}
    assert f"https://supabase.com/dashboard/project/{REF}/settings/api-keys" in urls
    assert "https://supabase.com/dashboard/account/tokens" in urls
    unknown = {step.link.url for step in guide_of(Level.OBSERVE, APP, NEW).steps if step.link}
    assert not [url for url in unknown if "{" in url or "/project/" in url]


def test_the_scopes_are_those_that_only_read_and_all_that_the_checks_read_with() -> None:
    (scopes,) = [step.scopes for step in guide_of(Level.OBSERVE, APP, NEW).steps if step.scopes]
    assert set(scopes) == set(READ_SCOPES) == READ_ONLY_SCOPES
    assert all(scope.endswith("_read") for scope in scopes)
    assert "api_gateway_keys_read" not in scopes


def test_nothing_is_asked_about_what_an_app_does_not_use() -> None:
    plain = APP.model_copy(update={"uses": ("app", "database")})
    told = guide_of(Level.OBSERVE, plain, NEW)
    assert [field.key for field in told.keys] == ["database_url", "read_only_url"]
    assert not [step for step in told.steps if "Supabase" in f"{step.link}"]
    assert guide_of(Level.PLATFORM, plain, NEW).steps == ()


def test_a_production_target_is_never_asked_for_its_owners_address() -> None:
    assert guide_of(Level.DEPLOY, APP, NEW).keys == ()
    assert "arm --target prod" in str(guide_of(Level.DEPLOY, APP, NEW).steps)
    disposable = NEW.model_copy(update={"production": False})
    assert [field.key for field in guide_of(Level.DEPLOY, APP, disposable).keys] == ["deploy_url"]


def test_every_step_and_field_is_filled_in_and_every_link_is_known() -> None:
    for told in guides_of(APP, NEW):
        assert told.why
        assert told.could_also
        assert not [step for step in told.steps if "{" in step.title or "{target}" in f"{step.text}{step.code}"]
    named = {step.link for steps in STEPS.values() for step in steps if step.link}
    assert named <= {*PLATFORM_LINKS, *APP.links}


def test_every_key_is_a_setting_and_every_level_works_with_what_it_asks_for() -> None:
    assert set(Target.model_fields) >= CREDENTIALS
    for level, groups in WORKS_WITH.items():
        assert not groups or any(set(group) <= {*keys_of(level), "app_url"} for group in groups)
    assert used_by("app_url") == frozenset(Level)
    assert used_by("supabase_anon_key") == {Level.OBSERVE, Level.PROBE}


def test_what_is_missing_is_named() -> None:
    assert missing(Level.LOOK, Target(name="t")) == ("app_url",)
    assert missing(Level.OBSERVE, NEW) == ("database_url",)
    token = Target.model_validate({"name": "t", "supabase_access_token": "sbp_x"})
    assert missing(Level.OBSERVE, token) == ("supabase_project_ref",)
    assert missing(Level.PLATFORM, NEW) == ("railway_token",)
    assert missing(Level.DEPLOY, NEW) == ()


def test_what_follows_from_a_value_is_filled_in_and_nothing_given_is_changed() -> None:
    assert completed({"supabase_project_ref": REF})["supabase_url"] == f"https://{REF}.supabase.co"
    assert completed({"supabase_url": f"https://{REF}.supabase.co"})["supabase_project_ref"] == REF
    own = {"supabase_project_ref": REF, "supabase_management_url": "http://127.0.0.1:1"}
    assert completed(own) == own
    assert completed({"railway_token": "x", "railway_url": "http://127.0.0.1:1"})["railway_url"] == "http://127.0.0.1:1"


def test_what_a_key_could_do_is_told_by_its_form() -> None:
    assert (is_scoped("sbp_fc" + "0" * 38), is_scoped("sbp_" + "0" * 40), is_scoped("sbp_v9")) == (True, False, None)
    assert is_secret_key("sb_secret_0123")
    assert is_secret_key("eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.x")
    assert not is_secret_key("eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.x")
    assert not is_secret_key("a.b.c")
    railway = Target.model_validate({"name": "t", "railway_token": "x"})
    assert "deploy" in could_also(Level.PLATFORM, railway)[0]
    assert could_also(Level.PLATFORM, NEW) == ()
    assert "everything" in could_also(Level.DEPLOY, NEW)[0]


@pytest.mark.parametrize("name", sorted(ALL))
def test_what_railway_is_asked_is_in_its_schema_and_changes_nothing(name: str) -> None:
    document = parse(ALL[name])
    assert validate(railway_schema(), document) == []
    assert [one.operation.value for one in document.definitions if hasattr(one, "operation")] == ["query"]


def test_all_that_is_refused_is_listed_with_its_level_and_the_way(home: Home) -> None:
    home.make()
    told = refusals(home.store, home.target, NOON)
    named = {one.what for one in told}
    assert {spec.title for spec in catalogue_of(APP) if spec.level is not Level.LOOK} <= named
    assert {kind.title for kind in KINDS.values() if kind.level is not Level.LOOK} - named <= {
        "Break something",
        "Repair",
    }
    for one in told:
        assert f"'{one.level}'" in one.sentence
        assert one.way == f"/settings?target=prod&level={one.level}"
    home.keep(database_url="postgresql://ops_reader:x@127.0.0.1:1/postgres")
    home.proved(Level.OBSERVE)
    home.grant(Level.OBSERVE)
    left = refusals(home.store, home.target, NOON)
    assert Level.OBSERVE not in {one.level for one in left}
    assert "looked at in its place" in next(one.sentence for one in left if one.what.startswith("A journal entry"))


def test_a_granted_deploy_is_refused_until_somebody_arms(home: Home) -> None:
    home.make()
    home.proved(Level.DEPLOY)
    home.grant(Level.DEPLOY)
    told = refusals(home.store, home.target, NOON)
    assert "not armed" in next(one.sentence for one in told if one.what == "Deploy the schema")


def test_what_breaks_things_is_refused_by_level_on_disposable_targets_only(home: Home) -> None:
    home.make()
    disposable = home.target.model_copy(update={"fault_control_url": "http://127.0.0.1:1/x"})
    assert "Break something" in {one.what for one in refusals(home.store, disposable, NOON)}
    assert "Break something" not in {one.what for one in refusals(home.store, home.target, NOON)}

"""Which standard checks an app gets: by what it uses, and by what it has declared."""

from __future__ import annotations

from typing import Any

from services.app_definition import AppDefinition
from services.checks.registry import PHASES, USED, Catalogue, CheckSpec
from services.checks.standard import standard_checks
from services.settings import Level, Target


def specs(**values: Any) -> dict[str, CheckSpec]:
    return {one.id: one for one in standard_checks(AppDefinition(name="tiny", title="Tiny", **values))}


def test_a_plain_app_of_a_database_and_an_address_runs_no_check_of_anything_else() -> None:
    app = AppDefinition(name="tiny", title="Tiny", uses=("app", "database"))
    catalogue = Catalogue(standard_checks(app), uses=app.uses)
    assert {"database-direct", "connections-left", "certificate", "clock-agrees"} <= set(catalogue.ids)
    left_out = {one.id for one in catalogue.not_used}
    assert {"supabase-project", "auth-answers", "deployment-state", "openai-key", "openai-status"} <= left_out
    assert all(set(one.touches) <= {"app", "database"} for one in catalogue)


def test_what_nothing_was_declared_for_is_left_out() -> None:
    undeclared = {"dependency-pins", "release-receipt", "openai-model", "locks-held", "env-names"}
    assert undeclared.isdisjoint(specs())
    declared = specs(
        model="m", dependency_pins={"p": "1"}, default_release="r", tables=({"name": "t", "build": "", "columns": {}},)
    )
    assert undeclared - {"env-names"} <= set(declared)


def test_every_check_says_what_it_needs_in_words_that_are_known() -> None:
    for one in specs(model="m", dependency_pins={"p": "1"}, default_release="r").values():
        assert set(one.touches) <= set(USED), one.id
        assert set(one.needs) <= set(Target.model_fields), one.id
        assert one.phases and set(one.phases) <= set(PHASES), one.id
        assert one.proves.endswith("."), one.id


def test_no_standard_check_writes_anything_that_stays() -> None:
    found = specs(model="m", default_release="r")
    assert not any(one.mutates for one in found.values())
    assert {one.id for one in found.values() if one.level is Level.DEPLOY} == {"function-probe", "trigger-probe"}

"""What is refused on a target, by which level, and that nothing is listed which a granted level allows."""

from __future__ import annotations

import pytest

from dashboard.panels.refusals import refusals_of
from services.app_definition import AppDefinition, load_app
from services.errors import Refused
from services.jobs.kinds import KINDS
from services.settings import Level, Target


@pytest.fixture(scope="module")
def app() -> AppDefinition:
    return load_app("pulsecheck")


def target(*levels: Level) -> Target:
    return Target(name="production", levels=frozenset({Level.LOOK, *levels}))


def test_a_new_target_is_refused_everything_that_needs_more_than_a_look(app: AppDefinition) -> None:
    rows = refusals_of(app, target())
    actions = {row["what"]: row["level"] for row in rows if row["kind"] == "action"}
    assert actions["Restart the app"] == "platform"
    assert actions["Deploy the schema"] == "deploy"
    assert "Run checks" not in actions
    assert {row["level"] for row in rows if row["kind"] == "check"} >= {"observe", "probe"}


def test_a_listed_action_is_really_refused_with_the_level_in_the_sentence(app: AppDefinition) -> None:
    listed = {row["what"]: row["level"] for row in refusals_of(app, target()) if row["kind"] == "action"}
    kinds = [kind for kind in KINDS.values() if kind.title in listed]
    assert kinds
    for kind in kinds:
        with pytest.raises(Refused, match=kind.level.value) as refusal:
            target().require(kind.level)
        assert "/settings" in f"{refusal.value.do}"


def test_each_level_takes_its_own_off_the_list(app: AppDefinition) -> None:
    granted: list[Level] = []
    for level in (Level.OBSERVE, Level.PLATFORM, Level.PROBE, Level.DEPLOY):
        granted.append(level)
        left = {row["level"] for row in refusals_of(app, target(*granted))}
        assert left.isdisjoint({one.value for one in granted})
    assert refusals_of(app, target(*Level)) == []


def test_what_breaks_things_is_listed_for_disposable_targets_only(app: AppDefinition) -> None:
    def titles(one: Target) -> set[str]:
        return {row["what"] for row in refusals_of(app, one)}

    disposable = target().model_copy(update={"fault_control_url": "http://127.0.0.1:1/x"})
    assert "Break something" in titles(disposable)
    assert "Break something" not in titles(target())


def test_each_row_leads_to_the_level_that_would_allow_it(app: AppDefinition) -> None:
    assert all(row["way"] == f"/settings?target=production&level={row['level']}" for row in refusals_of(app, target()))

"""The checklist of the beta release: the guide's 27 items, each decided by something that exists."""

from __future__ import annotations

from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.incidents.playbooks import playbooks_of
from services.jobs.kinds import KINDS
from services.releases.bundle import Release, validate
from tests.apps.pulsecheck.releases.production import FOLDER

COUNTS = {"before": 5, "during": 5, "after": 5, "hour": 4, "day": 4, "week": 4}

DECIDED_BY = {
    "before-1": "backup backup-fresh backup-proved",
    "before-2": "env-names dependency-pins",
    "before-3": "api-answers",
    "before-4": "openai-key openai-model",
    "before-5": "database-rest database-direct supabase-project connection-kind connections-left cache-hit disk-space",
    "during-1": "rehearse rehearsal-fresh",
    "during-2": "deploy release-receipt",
    "during-3": "release-receipt",
    "during-4": "release-schema function-probe trigger-probe",
    "during-5": "verify verification-clean anon-reads-nothing service-reads-all",
    "after-1": "redeploy_app route-inventory",
    "after-2": "api-answers route-inventory",
    "after-3": "score",
    "after-4": "admin-numbers",
    "after-5": "ai-quality ai-app-key",
    "hour-1": "platform-errors startup-logs restart-loop",
    "hour-2": "response-quality",
    "hour-3": "feedback-stored",
    "hour-4": "rate-limit",
    "day-1": "cost-matches-log",
    "day-2": "tiers-match-rule",
    "day-3": "analytics-arrive usage-recent quota-matches-log",
    "day-4": "admin-numbers authenticated-reads-own",
    "week-1": "sign-off",
    "week-2": "response-quality sign-off",
    "week-3": "platform-errors response-times connections-left slow-statements cache-hit disk-space sign-off",
    "week-4": "sign-off",
}


def test_the_checklist_has_the_guides_27_items_in_order(release: Release) -> None:
    expected = [f"{phase}-{number}" for phase, count in COUNTS.items() for number in range(1, count + 1)]
    assert [step.id for step in release.steps] == expected
    assert [phase.id for phase in release.phases] == list(COUNTS)


def test_each_item_is_decided_by_an_effect_or_by_a_person(release: Release) -> None:
    decided = {
        step.id: " ".join(
            [*([step.action] if step.action else []), *step.checks, *(["sign-off"] if step.signoff else [])]
        )
        for step in release.steps
    }
    assert decided == DECIDED_BY


def test_everything_the_checklist_names_exists() -> None:
    app = load_app("pulsecheck")
    found = validate(
        FOLDER / "beta-optimization",
        catalogue_of(app).ids,
        tuple(KINDS),
        known_playbooks=tuple(playbooks_of(app)),
        known_links=tuple(app.links),
    )
    assert found == []


def test_each_item_says_what_the_guide_asks_what_is_looked_at_and_why(release: Release) -> None:
    silent = [step.id for step in release.steps if not (step.demand and step.proof and step.why)]
    assert silent == []


def test_each_sign_off_says_what_to_look_at(release: Release) -> None:
    assert [step.id for step in release.steps if step.signoff and not step.look_at] == []


def test_demands_that_prove_nothing_are_called_so(release: Release) -> None:
    empty = [step.id for step in release.steps if "prove nothing" in step.why or "proves nothing" in step.why]
    assert set(empty) >= {"before-3", "before-4", "during-1", "during-4", "after-4", "after-5", "hour-3"}
    assert "would bring back the old build" in release.step("after-1").why


def test_nothing_is_deployed_before_it_was_rehearsed(release: Release) -> None:
    assert release.step("during-2").needs == ("during-1",)
    for step in release.steps:
        if step.id in ("during-3", "during-4", "during-5", "after-1"):
            assert step.needs == ("during-2",)

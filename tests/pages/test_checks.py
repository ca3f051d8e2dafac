"""The parts of the verification page: the catalogue of checks with states, costs and facts, and trends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.access.permissions import Role
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.jobs.queue import JobState, recent_jobs
from services.verdict import Verdict
from tests.pages.conftest import OpenPage, texts
from tests.pages.world import TARGET, World

CATALOGUE = catalogue_of(load_app("pulsecheck"))


def told(app: Any) -> str:
    return texts(app).replace("\\", "")


def labels(app: Any) -> str:
    return "\n".join(str(one.label) for one in app.expander).replace("\\", "")


def test_every_check_is_listed_with_its_state(open_page: OpenPage, world: World) -> None:
    world.evidence("api-answers", Verdict.PASS, "A live process answers.")
    world.evidence("ai-quality", Verdict.FAIL, "Two entries got the same words.")
    world.evidence("docs-served", Verdict.PASS, "Served.", age=timedelta(hours=2))
    app = open_page("/verification", part="checks")
    assert not app.exception
    for title in (spec.title for spec in CATALOGUE):
        assert title in labels(app)
    counted = told(app)
    assert "Passed · 1" in counted and "Failed · 1" in counted and "Expired · 1" in counted


def test_only_what_needs_a_look_can_be_shown(open_page: OpenPage, world: World) -> None:
    world.evidence("api-answers", Verdict.PASS, "A live process answers.")
    shown = labels(open_page("/verification", part="checks", show="wrong"))
    assert CATALOGUE["api-answers"].title not in shown
    assert CATALOGUE["ai-quality"].title in shown


def test_a_link_to_a_check_opens_it_with_its_facts(open_page: OpenPage, world: World) -> None:
    world.evidence("ai-quality", Verdict.FAIL, "Two entries got the same words.", facts={"same_text": True})
    app = open_page("/verification", check="ai-quality")
    assert '"same_text": true' in told(app)
    assert "writes marked test data and removes it" in told(app)


def test_running_one_check_makes_one_job(open_page: OpenPage, world: World) -> None:
    app = open_page("/verification", check="api-answers")
    next(button for button in app.button if button.key and "check-api-answers" in button.key).click().run()
    jobs = recent_jobs(world.store, TARGET, kind="check")
    assert [job.payload["checks"] for job in jobs] == [["api-answers"]]


def test_a_viewer_sees_the_checks_and_can_run_none(open_page: OpenPage, world: World) -> None:
    app = open_page("/verification", Role.VIEWER, part="checks")
    runs = [button for button in app.button if button.key and button.key.startswith(("checks-", "check-"))]
    assert runs and all(button.disabled for button in runs)


def test_trends_say_that_nothing_was_measured(open_page: OpenPage, world: World) -> None:
    assert "Nothing has been measured" in told(open_page("/verification", part="trends"))


@pytest.mark.parametrize("state", [JobState.PASSED, JobState.FAILED])
def test_numbers_stand_before_and_after_the_deploy(open_page: OpenPage, world: World, state: JobState) -> None:
    spec = next(one for one in CATALOGUE if one.trend)
    name = spec.trend[0]
    world.evidence(spec.id, Verdict.PASS, "Seen.", facts={name: 10}, age=timedelta(hours=2))
    world.ended("deploy", JobState.FAILED, "Not applied.", {"applied": False})
    world.ended("deploy", state, "Deployed.", {"applied": True})
    world.evidence(spec.id, Verdict.PASS, "Seen.", facts={name: 15}, age=timedelta(seconds=-2))
    app = open_page("/verification", part="trends")
    assert not app.exception
    shown = app.dataframe[0].value
    row = shown[shown["Number"] == name.replace("_", " ")].iloc[0]
    assert (row["Before"], row["After"], row["Change"]) == ("10", "15", "+50%")

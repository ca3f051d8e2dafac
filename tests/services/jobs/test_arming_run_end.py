"""When a run needs its database no more: a newer run, a rollback, or every step settled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.access.permissions import Actor, Role
from services.jobs.queue import Job, JobState
from services.jobs.run_end import why_over
from services.releases.run import Run, RunEvent, RunView, derive
from tests.pages.world import small_release
from tests.services.conftest import NOON

RUN = Run("run-1", "small-change", "0" * 64, "staging", "Olga", NOON)
LATER = NOON + timedelta(minutes=5)


def view(*waived: str) -> RunView:
    until = (NOON + timedelta(days=1)).isoformat()
    events = [
        RunEvent(number, step, "waived", 1, "Olga", NOON, {"until": until, "owner": "Olga", "reason": "a test"})
        for number, step in enumerate(waived)
    ]
    return derive(RUN, small_release(), events, [], [], NOON)


def ended(kind: str, state: JobState) -> Job:
    who = Actor("o", "Olga", Role.OPERATOR, "staging")
    return Job(
        "job-1", kind, "staging", "run-1", None, {}, who, NOON, state, 1, None, None, NOON, LATER, False, {}, None
    )


def test_a_run_under_way_needs_it() -> None:
    assert why_over(view(), "run-1", [ended("deploy", JobState.PASSED)], NOON) is None


def test_a_newer_run_ends_it() -> None:
    assert why_over(view(), "run-2", [], NOON) == "a newer run (run-2) has begun"


@pytest.mark.parametrize(
    ("kind", "state", "over"),
    [
        ("rollback", JobState.PASSED, True),
        ("rollback", JobState.FAILED, False),
        ("restore", JobState.PASSED, False),
    ],
)
def test_a_rollback_that_passed_ends_it(kind: str, state: JobState, over: bool) -> None:
    assert (why_over(view(), "run-1", [ended(kind, state)], NOON) is not None) is over


def test_a_rollback_of_before_it_was_armed_does_not() -> None:
    assert why_over(view(), "run-1", [ended("rollback", JobState.PASSED)], LATER + timedelta(seconds=1)) is None


def test_a_run_with_every_step_settled_is_over() -> None:
    steps = [step.id for step in view().steps]
    assert why_over(view(*steps[:-1]), "run-1", [], NOON) is None
    assert why_over(view(*steps), "run-1", [], NOON) == "every step of the run is settled"

"""The state of a step is a function of what was seen and decided; nothing becomes passed by accident."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.access.permissions import Actor, Role
from services.jobs.queue import Job, JobState
from services.releases.bundle import Release, release_from_files
from services.releases.run import Run, RunEvent, RunView, StepEvidence, StepState, derive
from services.verdict import Verdict
from tests.services.conftest import NOON
from tests.services.releases.conftest import CHECKLIST, saw

ACTOR = Actor("u", "Olga", Role.OPERATOR, "staging")
RUN = Run("run-1", "small", "hash", "staging", "Olga", NOON)
RELEASE = release_from_files({"release.yaml": CHECKLIST, "deploy/010.sql": b"SELECT 1;\n"})


def view(
    *,
    evidence: list[StepEvidence] | None = None,
    events: list[RunEvent] | None = None,
    jobs: list[Job] | None = None,
    at: float = 0,
    release: Release = RELEASE,
) -> RunView:
    return derive(RUN, release, events or [], evidence or [], jobs or [], NOON + timedelta(seconds=at))


def state(step_id: str, **given: Any) -> StepState:
    return view(**given).step(step_id).state


def decided(step_id: str, kind: str, number: int = 1, **payload: Any) -> RunEvent:
    return RunEvent(number, step_id, kind, number, "Olga", NOON, payload)


def ran(step_id: str, kind: str, state: JobState, finished: float = 0) -> Job:
    done = NOON + timedelta(seconds=finished)
    result = None if state in (JobState.QUEUED, JobState.RUNNING) else {"summary": f"{kind} {state}"}
    return Job(
        "job-1", kind, "staging", "run-1", step_id, {}, ACTOR, NOON, state, 1, None, None, NOON, done, False, result
    )


def seen(step_id: str, check_id: str, verdict: Verdict = Verdict.PASS, **given: Any) -> StepEvidence:
    return StepEvidence(step_id, saw(check_id, verdict, **given))


def test_nothing_seen_is_todo() -> None:
    assert {step.state for step in view().steps} == {StepState.TODO}


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(Verdict.PASS, StepState.PASSED), (Verdict.FAIL, StepState.FAILED), (Verdict.UNKNOWN, StepState.UNKNOWN)],
)
def test_a_check_decides_its_step(verdict: Verdict, expected: StepState) -> None:
    assert state("before-1", evidence=[seen("before-1", "looks", verdict)]) is expected


def test_evidence_of_another_step_does_not_count() -> None:
    assert state("after-1", evidence=[seen("before-1", "looks")]) is StepState.TODO


def test_the_newest_evidence_counts() -> None:
    both = [seen("before-1", "looks"), seen("before-1", "looks", Verdict.FAIL, at=5)]
    assert state("before-1", evidence=both) is StepState.FAILED
    assert state("before-1", evidence=both[::-1]) is StepState.PASSED


def test_one_of_two_checks_is_not_enough() -> None:
    assert state("before-2", evidence=[seen("before-2", "one")]) is StepState.TODO
    assert state("before-2", evidence=[seen("before-2", "one", Verdict.FAIL)]) is StepState.FAILED


def test_evidence_expires_by_the_steps_own_limit_and_else_by_the_checks() -> None:
    assert state("before-1", evidence=[seen("before-1", "looks")], at=15 * 60 - 1) is StepState.PASSED
    assert state("before-1", evidence=[seen("before-1", "looks")], at=15 * 60) is StepState.EXPIRED
    pair = [seen("before-2", "one", counts_s=60), seen("before-2", "two", counts_s=90)]
    assert state("before-2", evidence=pair, at=59) is StepState.PASSED
    assert state("before-2", evidence=pair, at=60) is StepState.EXPIRED


def test_a_signature_settles_a_step_without_checks_until_it_expires() -> None:
    signed = [decided("before-3", "signed", note="read it")]
    assert state("before-3", events=signed) is StepState.PASSED
    assert state("before-3", events=signed, at=86_400) is StepState.EXPIRED


def test_a_withdrawn_signature_counts_no_more() -> None:
    events = [decided("before-3", "signed"), decided("before-3", "withdrawn", 2)]
    assert state("before-3", events=events) is StepState.TODO
    assert view(events=events).step("before-3").decisions == 2


def test_signed_but_its_check_fails_is_a_contradiction() -> None:
    signed = [decided("after-1", "signed")]
    assert state("after-1", events=signed, evidence=[seen("after-1", "looks", Verdict.FAIL)]) is StepState.CONTRADICTED
    assert state("after-1", events=signed, evidence=[seen("after-1", "looks", Verdict.UNKNOWN)]) is StepState.UNKNOWN
    assert state("after-1", events=signed) is StepState.TODO


def test_a_step_with_checks_and_signature_needs_both() -> None:
    passing = [seen("after-1", "looks")]
    assert state("after-1", evidence=passing) is StepState.TODO
    assert state("after-1", evidence=passing, events=[decided("after-1", "signed")]) is StepState.PASSED


def test_a_waiver_is_not_a_pass_and_ends() -> None:
    until = (NOON + timedelta(hours=1)).isoformat()
    waived = [decided("before-1", "waived", reason="no key", owner="Ada", until=until)]
    assert state("before-1", events=waived) is StepState.WAIVED
    assert state("before-1", events=waived, at=3600) is StepState.TODO
    assert state("before-1", events=waived, evidence=[seen("before-1", "looks")]) is StepState.PASSED


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (JobState.QUEUED, StepState.RUNNING),
        (JobState.RUNNING, StepState.RUNNING),
        (JobState.PASSED, StepState.PASSED),
        (JobState.FAILED, StepState.FAILED),
        (JobState.UNKNOWN, StepState.UNKNOWN),
        (JobState.INTERRUPTED, StepState.UNKNOWN),
        (JobState.CANCELLED, StepState.TODO),
    ],
)
def test_an_action_without_checks_stands_on_its_job(ended: JobState, expected: StepState) -> None:
    assert state("during-1", jobs=[ran("during-1", "rehearse", ended)]) is expected


def test_an_action_with_checks_passes_by_its_effect_only() -> None:
    job = ran("during-2", "deploy", JobState.PASSED)
    assert state("during-2", jobs=[job]) is StepState.TODO
    assert state("during-2", jobs=[job], evidence=[seen("during-2", "receipt")]) is StepState.PASSED
    assert state("during-2", jobs=[job], evidence=[seen("during-2", "receipt", Verdict.FAIL)]) is StepState.FAILED
    assert state("during-2", evidence=[seen("during-2", "receipt")]) is StepState.TODO


def test_checks_alone_do_not_make_a_deploy_that_was_not_made_from_here_or_found_as_approved() -> None:
    there, check = [seen("during-2", "receipt")], ran("during-2", "check", JobState.PASSED)
    assert state("during-2", jobs=[check], evidence=there) is StepState.TODO
    unapproved = ran("during-2", "find_deploy", JobState.FAILED)
    assert state("during-2", jobs=[check, unapproved], evidence=there) is StepState.FAILED
    came_in = replace(ran("during-2", "deploy", JobState.FAILED), result={"summary": "x", "applied": True})
    assert state("during-2", jobs=[check, came_in], evidence=there) is StepState.PASSED
    assert state("during-2", jobs=[check, unapproved, came_in], evidence=there) is StepState.FAILED
    again = ran("during-2", "deploy", JobState.FAILED)
    assert state("during-2", jobs=[check, again, came_in], evidence=there) is StepState.PASSED


def test_a_phase_is_crossed_when_work_on_a_later_one_has_begun() -> None:
    entered = RunEvent(1, None, "phase-entered", None, "Olga", NOON, {"phase": "during"})
    assert [phase.crossed for phase in view(events=[entered]).phases] == [True, False, False]


verdicts = st.sampled_from(Verdict)
anything = st.lists(
    st.one_of(
        st.builds(
            lambda step, check, verdict, at: seen(step, check, verdict, at=at),
            st.sampled_from(["before-1", "before-2", "after-1", "during-2"]),
            st.sampled_from(["looks", "one", "two", "receipt"]),
            verdicts,
            st.integers(0, 7200),
        )
    ),
    max_size=12,
)
decisions = st.lists(
    st.tuples(st.sampled_from(["before-1", "before-3", "after-1"]), st.sampled_from(["signed", "withdrawn"])),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(anything, decisions, st.integers(0, 10_000))
def test_whatever_happens_a_passed_step_rests_on_fresh_passing_evidence(
    evidence: list[StepEvidence], choices: list[tuple[str, str]], at: int
) -> None:
    evidence.sort(key=lambda item: item.evidence.started)
    events = [decided(step, kind, number) for number, (step, kind) in enumerate(choices, 1)]
    now = NOON + timedelta(seconds=at)
    for step in view(evidence=evidence, events=events, at=at).steps:
        if step.state is not StepState.PASSED:
            continue
        for check_id in step.step.checks:
            own = [e.evidence for e in evidence if (e.step_id, e.evidence.check_id) == (step.id, check_id)]
            assert own[-1].verdict is Verdict.PASS
            limit = step.step.expires_s if step.step.expires_s is not None else 3600
            assert now < own[-1].started + timedelta(seconds=limit)
        if step.step.signoff:
            last = [kind for chosen, kind in choices if chosen == step.id][-1]
            assert last == "signed"

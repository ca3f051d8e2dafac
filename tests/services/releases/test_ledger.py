"""Runs as they are written down: pinned content, one decision from two clicks, gates that hold, everything audited."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from services.access.permissions import Actor, Role
from services.errors import NotUnderstood, OpsError, Refused
from services.releases.actions import act, check_step, roll_back
from services.releases.bundle import Release
from services.releases.gate import blockers, current_phase, is_open, next_step
from services.releases.ledger import (
    latest_run,
    newest_evidence,
    pinned_release,
    record_evidence,
    run_view,
    sign_off,
    start_run,
    waive,
    withdraw,
)
from services.releases.overview import Risk, overview
from services.releases.run import StepState
from services.settings import Target
from services.store import audit
from services.store.database import Store
from services.verdict import Verdict
from tests.services.conftest import NOON
from tests.services.releases.conftest import saw, settle_before


def sign(store: Store, actor: Actor, run_id: str, step_id: str = "before-3", seen: int = 0) -> bool:
    return sign_off(store, actor=actor, run_id=run_id, step_id=step_id, note="read", seen=seen, now=NOON).mine


def test_a_run_outlives_an_edit_of_its_release(store: Store, run_id: str, release: Release) -> None:
    run = latest_run(store, "staging")
    assert run is not None
    again = pinned_release(store, run.content_hash)
    assert again.files == release.files
    assert again.content_hash == release.content_hash


def test_the_same_key_starts_one_run(store: Store, operator: Actor, release: Release) -> None:
    ids = {
        start_run(store, actor=operator, release=release, target="staging", now=NOON, idempotency_key="k")
        for _ in range(3)
    }
    assert len(ids) == 1


def test_a_viewer_can_do_nothing(store: Store, viewer: Actor, run_id: str, release: Release, target: Target) -> None:
    until = NOON + timedelta(days=1)
    with pytest.raises(Refused):
        start_run(store, actor=viewer, release=release, target="staging", now=NOON)
    with pytest.raises(Refused):
        sign(store, viewer, run_id)
    with pytest.raises(Refused):
        waive(
            store,
            actor=viewer,
            run_id=run_id,
            step_id="before-1",
            reason="r",
            owner="o",
            until=until,
            seen=0,
            now=NOON,
        )
    with pytest.raises(Refused):
        check_step(store, actor=viewer, target=target, run_id=run_id, step_id="before-1", seen=0, now=NOON)
    with pytest.raises(Refused):
        roll_back(
            store, actor=viewer, target=target, run_id=run_id, seen=0, phrase="rollback small on staging", now=NOON
        )
    assert {step.state for step in run_view(store, run_id, NOON).steps} == {StepState.TODO}


def test_two_people_who_press_at_once_sign_once(store: Store, operator: Actor, run_id: str) -> None:
    other = Actor("u2", "Otto", Role.OPERATOR, "staging")
    for round_number in range(50):
        with ThreadPoolExecutor(2) as pool:
            both = list(
                pool.map(lambda who: sign(store, who, run_id, seen=2 * round_number), (operator, other))  # noqa: B023
            )
        assert sorted(both) == [False, True]
        assert withdraw(
            store, actor=operator, run_id=run_id, step_id="before-3", seen=2 * round_number + 1, now=NOON
        ).mine
    assert run_view(store, run_id, NOON).step("before-3").decisions == 100


def test_a_step_that_its_checks_decide_cannot_be_signed(store: Store, operator: Actor, run_id: str) -> None:
    with pytest.raises(Refused, match="decided by what its checks see"):
        sign(store, operator, run_id, "before-1")


def test_a_later_phase_opens_only_when_the_gate_does(
    store: Store, operator: Actor, run_id: str, target: Target
) -> None:
    with pytest.raises(Refused, match="'During' is closed"):
        act(store, actor=operator, target=target, run_id=run_id, step_id="during-1", seen=0, now=NOON)
    settle_before(store, run_id)
    view = run_view(store, run_id, NOON)
    assert [blocker.step_id for blocker in blockers(view, "during")] == ["before-3"]
    sign(store, operator, run_id)
    view = run_view(store, run_id, NOON)
    assert is_open(view, "during")
    assert current_phase(view) == "during"
    job = act(store, actor=operator, target=target, run_id=run_id, step_id="during-1", seen=0, now=NOON)
    assert job.kind == "rehearse"
    assert run_view(store, run_id, NOON).step("during-1").state is StepState.RUNNING


def test_once_crossed_an_aging_phase_closes_nothing(store: Store, operator: Actor, run_id: str, target: Target) -> None:
    settle_before(store, run_id)
    sign(store, operator, run_id)
    later = NOON + timedelta(hours=2)
    assert not is_open(run_view(store, run_id, later), "during")
    act(store, actor=operator, target=target, run_id=run_id, step_id="during-1", seen=0, now=NOON)
    view = run_view(store, run_id, later)
    assert view.step("before-1").state is StepState.EXPIRED
    assert is_open(view, "during")


def test_a_deploy_needs_its_rehearsal_and_the_exact_phrase(
    store: Store, operator: Actor, run_id: str, target: Target
) -> None:
    settle_before(store, run_id)
    sign(store, operator, run_id)

    def deploy(phrase: str | None) -> None:
        act(
            store,
            actor=operator,
            target=target,
            run_id=run_id,
            step_id="during-2",
            seen=0,
            now=NOON,
            phrase=phrase,
        )

    with pytest.raises(Refused, match="during-1"):
        deploy("deploy small to staging")
    until = NOON + timedelta(hours=1)
    waive(
        store,
        actor=operator,
        run_id=run_id,
        step_id="during-1",
        reason="r",
        owner="o",
        until=until,
        seen=0,
        now=NOON,
    )
    for wrong in (None, "", "deploy small to production", "Deploy small to staging", "deploy small to staging "):
        with pytest.raises(NotUnderstood) as caught:
            deploy(wrong)
        assert caught.value.do == "Type exactly: deploy small to staging"
    deploy("deploy small to staging")


def test_two_clicks_on_a_check_are_one_job(store: Store, operator: Actor, run_id: str, target: Target) -> None:
    ids = {
        check_step(store, actor=operator, target=target, run_id=run_id, step_id="before-1", seen=0, now=NOON).id
        for _ in range(2)
    }
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("reason", "owner", "hours"), [("", "Ada", 1), ("why", " ", 1), ("why", "Ada", -1), ("why", "Ada", 24 * 15)]
)
def test_a_waiver_needs_reason_owner_and_a_near_end(
    store: Store, operator: Actor, run_id: str, reason: str, owner: str, hours: int
) -> None:
    with pytest.raises(Refused):
        waive(
            store,
            actor=operator,
            run_id=run_id,
            step_id="before-1",
            reason=reason,
            owner=owner,
            until=NOON + timedelta(hours=hours),
            seen=0,
            now=NOON,
        )


def test_unknown_steps_and_other_targets_are_sentences(
    store: Store, operator: Actor, run_id: str, target: Target
) -> None:
    with pytest.raises(NotUnderstood, match="no step 'before-9'"):
        sign(store, operator, run_id, "before-9")
    elsewhere = Target(name="live")
    with pytest.raises(OpsError, match="belongs to staging"):
        check_step(store, actor=operator, target=elsewhere, run_id=run_id, step_id="before-1", seen=0, now=NOON)


def test_every_decision_is_in_the_audit_chain(store: Store, operator: Actor, run_id: str) -> None:
    sign(store, operator, run_id)
    assert [entry.action for entry in audit.entries(store)] == ["signed step", "start run"]
    assert audit.first_broken(store) is None


def test_evidence_without_a_step_is_for_the_watch_only(store: Store, run_id: str) -> None:
    record_evidence(store, [saw("looks", Verdict.FAIL)])
    assert run_view(store, run_id, NOON).step("before-1").state is StepState.TODO
    assert newest_evidence(store, "staging", ["looks", "one"]).keys() == {"looks"}


def test_the_overview_is_computed_and_says_how(store: Store, operator: Actor, run_id: str) -> None:
    first = overview(run_view(store, run_id, NOON))
    assert (first.risk.value, first.next.step_id, first.of) == (Risk.MEDIUM, "before-1", 6)
    assert first.minutes_left.value == 10.0
    record_evidence(store, [saw("looks", Verdict.FAIL)], run_id=run_id, step_id="before-1")
    failed = overview(run_view(store, run_id, NOON))
    assert failed.risk.value is Risk.HIGH
    assert failed.next.sentence == "Look failed: looks: fail"
    assert [blocker.step_id for blocker in failed.blockers] == ["before-1", "before-2", "before-3"]


def test_next_passes_over_what_waits_for_something_else(store: Store, operator: Actor, run_id: str) -> None:
    settle_before(store, run_id)
    sign(store, operator, run_id)
    found = next_step(run_view(store, run_id, NOON))
    assert found is not None
    assert found.id == "during-1"

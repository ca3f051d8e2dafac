"""A second person's yes: for one plan, for some hours, and never by whoever asked or deploys, by whatever way."""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from services.access.notices import current_notices
from services.access.permissions import Actor, Role
from services.access.recovery import make_codes, redeem
from services.errors import NotUnderstood, Refused
from services.releases.approvals import (
    Accepts,
    Approval,
    ApprovalState,
    approval,
    approval_of_deploy,
    ask_for_approval,
    decide,
    newest_approval,
    recent_approvals,
    require_approval,
    use_up,
)
from services.releases.second_person import cannot_be_told_apart
from services.settings import Target
from services.store.database import Store
from services.store.tables import approvals as approvals_table
from services.store.tables import audit as audit_table
from tests.services.conftest import NOON, TurnableClock

ANN = Actor("staging:1", "Ann", Role.OPERATOR, "staging", way="auth")
BOB = Actor("staging:2", "Bob", Role.OPERATOR, "staging", way="auth")
CARLA = Actor("staging:3", "Carla", Role.OPERATOR, "staging", way="auth")
PLAN, CONTENT = "p" * 64, "c" * 64


@pytest.fixture
def careful(target: Target) -> Target:
    return target.model_copy(update={"second_approval": True, "approval_hours": 8})


def rehearsed(plan: str = PLAN, **more: object) -> dict[str, object]:
    """As much of a rehearsal's document as a question needs."""
    return {"plan_hash": plan, "content_hash": CONTENT, **more}


def ask(store: Store, target: Target, actor: Actor = ANN, plan: str = PLAN, **more: object) -> Approval:
    found = rehearsed(plan, **more)
    return ask_for_approval(store, actor=actor, target=target, release_id="beta", rehearsal=found, now=NOON)


def answer(store: Store, target: Target, asked: Approval, actor: Actor = BOB, **more: object) -> Approval:
    given = {"approve": True, "reason": "", "now": NOON, **more}
    return decide(store, actor=actor, target=target, approval_id=asked.id, **given)  # type: ignore[arg-type]


def require(store: Store, target: Target, plan: str = PLAN, actor: Actor = ANN, hours: float = 0) -> None:
    require_approval(store, actor=actor, target=target, plan_hash=plan, now=NOON + timedelta(hours=hours))


def test_a_yes_of_a_second_person_opens_the_deploy_of_that_plan_alone(store: Store, careful: Target) -> None:
    with pytest.raises(Refused, match="nobody was asked"):
        require(store, careful)
    asked = ask(store, careful)
    with pytest.raises(Refused, match="waiting for a second person"):
        require(store, careful)
    answer(store, careful, asked)
    require(store, careful)
    with pytest.raises(Refused, match="nobody was asked"):
        require(store, careful, plan="q" * 64)


def test_a_target_that_wants_none_asks_for_none(store: Store, target: Target) -> None:
    require(store, target)


@pytest.mark.parametrize(
    "other",
    [
        ANN,
        replace(ANN, role=Role.ADMIN),
        replace(BOB, name=" ann"),
        replace(BOB, way="oidc"),
        replace(BOB, way="recovery", name="Ann"),
        replace(BOB, way="founder"),
        Actor("cli:ann", "ann (command line)", Role.ADMIN, "staging"),
    ],
)
def test_nobody_approves_what_they_asked_for_by_any_way(store: Store, careful: Target, other: Actor) -> None:
    asked = ask(store, careful)
    with pytest.raises(Refused, match="second person"):
        answer(store, careful, asked, actor=other)
    assert newest_approval(store, "staging", PLAN) == asked


def test_two_accounts_of_one_way_are_two_people() -> None:
    assert cannot_be_told_apart(ANN, BOB) is None
    assert cannot_be_told_apart(replace(ANN, way="oidc"), replace(BOB, way="oidc")) is None


@pytest.mark.parametrize(
    "other",
    [
        "Ann Lée\u200b",
        "Ann\u2060 Lée",
        unicodedata.normalize("NFD", "Ann Lée"),
        "Ann  Lée",
        "\tann\u00a0LÉE ",
        "Ａｎｎ Lée",
        "Ann\ufe0f Lée",
    ],
)
def test_one_name_however_it_is_written_is_one_person(other: str) -> None:
    assert "bear the name" in str(cannot_be_told_apart(replace(ANN, name="Ann Lée"), replace(BOB, name=other)))
    assert cannot_be_told_apart(replace(ANN, name="Ann Lee"), replace(BOB, name=other)) is None


def test_root_is_no_second_person_to_anybody_at_the_command_line() -> None:
    root, ann, bob = (Actor(f"cli:{who}", who, Role.ADMIN, "staging") for who in ("root", "ann", "bob"))
    assert "root can become anybody" in str(cannot_be_told_apart(ann, root))
    assert "root can become anybody" in str(cannot_be_told_apart(root, ann))
    assert cannot_be_told_apart(ann, bob) is None


def test_codes_made_for_two_names_are_not_two_people(store: Store, careful: Target) -> None:
    def signed_in(name: str) -> Actor:
        ((_, code),) = make_codes(store, actor="cli:mallory", target="staging", person=name, now=NOON, count=1)
        return redeem(store, target="staging", typed=code.get_secret_value(), now=NOON, address="x").actor

    asked = ask(store, careful, actor=signed_in("Ann"))
    with pytest.raises(Refused, match="which one person may hold for many names"):
        answer(store, careful, asked, actor=signed_in("Bob"))
    mallory = Actor("cli:mallory", "mallory (command line)", Role.ADMIN, "staging")
    with pytest.raises(Refused, match="different ways"):
        answer(store, careful, asked, actor=mallory)


def test_who_approved_does_not_deploy(store: Store, careful: Target) -> None:
    answer(store, careful, ask(store, careful))
    require(store, careful, actor=CARLA)
    with pytest.raises(Refused, match="does not deploy"):
        require(store, careful, actor=BOB)


def test_a_yes_expires(store: Store, careful: Target) -> None:
    answer(store, careful, ask(store, careful))
    require(store, careful, hours=7.9)
    with pytest.raises(Refused, match="expired"):
        require(store, careful, hours=8)


def test_a_question_expires_unanswered_and_can_be_asked_again(
    store: Store, careful: Target, clock: TurnableClock
) -> None:
    asked = ask(store, careful)
    assert ask(store, careful) == asked
    later = clock.turn(8 * 3600)
    assert asked.state(later) is ApprovalState.EXPIRED
    with pytest.raises(Refused, match="expired"):
        answer(store, careful, asked, now=later)
    again = ask_for_approval(store, actor=ANN, target=careful, release_id="beta", rehearsal=rehearsed(), now=later)
    assert again.id != asked.id


def test_a_no_has_a_reason_and_closes_the_deploy(store: Store, careful: Target) -> None:
    asked = ask(store, careful)
    with pytest.raises(NotUnderstood, match="reason"):
        answer(store, careful, asked, approve=False)
    answer(store, careful, asked, approve=False, reason="not on a Friday")
    with pytest.raises(Refused, match="Bob said no: not on a Friday"):
        require(store, careful)


def test_who_asked_may_take_the_question_back(store: Store, careful: Target) -> None:
    asked = ask(store, careful)
    answer(store, careful, asked, actor=ANN, approve=False, reason="wrong release")
    assert ask(store, careful).id != asked.id


def test_one_answer_counts(store: Store, careful: Target) -> None:
    asked = ask(store, careful)
    counted: list[bool] = []

    def try_it(actor: Actor) -> None:
        try:
            answer(store, careful, asked, actor=actor)
            counted.append(True)
        except Refused:
            counted.append(False)

    threads = [threading.Thread(target=try_it, args=(actor,)) for actor in (BOB, CARLA)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == [False, True]


def test_a_yes_can_be_taken_back_and_stays_written(store: Store, careful: Target, clock: TurnableClock) -> None:
    said = answer(store, careful, ask(store, careful), reason="looked through")
    with pytest.raises(NotUnderstood, match="reason"):
        answer(store, careful, said, approve=False)
    back = answer(store, careful, said, actor=CARLA, approve=False, reason="the numbers were wrong")
    assert (back.state(NOON), back.withdrawn_by) == (ApprovalState.WITHDRAWN, CARLA)
    assert (back.decided_by, back.decision, back.reason) == (BOB, True, "looked through")
    with pytest.raises(Refused, match="Carla took the yes back: the numbers were wrong"):
        require(store, careful)
    with pytest.raises(Refused, match="no yes"):
        answer(store, careful, said, approve=False, reason="once more")
    later = clock.turn(60)
    again = ask_for_approval(store, actor=ANN, target=careful, release_id="beta", rehearsal=rehearsed(), now=later)
    answer(store, careful, again, now=later)
    require(store, careful, hours=1)


def test_a_yes_that_a_deploy_used_up_opens_no_other_and_is_not_taken_back(store: Store, careful: Target) -> None:
    said = answer(store, careful, ask(store, careful))
    used = {"target": "staging", "content_hash": CONTENT, "actor": "staging:1", "at": NOON}
    for job in ("job-1", "job-2"):
        use_up(store, job_id=job, now=NOON, **used)  # type: ignore[arg-type]
    assert approval(store, said.id).used_by == "job-1"
    with pytest.raises(Refused, match=r"was for one deploy, which was made \(job-1\)"):
        require(store, careful)
    with pytest.raises(Refused, match="no yes"):
        answer(store, careful, said, approve=False, reason="too late")
    assert ask(store, careful).id != said.id


def test_what_is_approved_after_a_deploy_is_not_used_up_by_it(
    store: Store, careful: Target, clock: TurnableClock
) -> None:
    asked, later = ask(store, careful), clock.turn(3600)
    answer(store, careful, asked, now=later)
    about = {"target": "staging", "content_hash": CONTENT, "job_id": "job-1"}
    use_up(store, actor="staging:1", at=NOON, now=later, **about)
    assert approval(store, asked.id).state(later) is ApprovalState.APPROVED
    assert approval_of_deploy(store, at=NOON, **about) is None
    assert approval_of_deploy(store, at=later, **about) is not None
    assert approval_of_deploy(store, at=later + timedelta(hours=9), **about) is None


def test_roles_count(store: Store, careful: Target) -> None:
    viewer = replace(BOB, role=Role.VIEWER)
    with pytest.raises(Refused, match="viewer"):
        ask(store, careful, actor=viewer)
    with pytest.raises(Refused, match="approve a deploy"):
        answer(store, careful, ask(store, careful), actor=viewer)


def test_everybody_on_the_target_is_told(store: Store, careful: Target) -> None:
    ask(store, careful)
    assert "Ann asks a second person" in current_notices(store, "staging", NOON)[0].text


def test_the_question_stands_no_longer_once_it_is_answered(store: Store, careful: Target) -> None:
    answer(store, careful, ask(store, careful))
    assert not current_notices(store, "staging", NOON + timedelta(seconds=1))


def test_what_is_accepted_with_a_yes_is_kept_with_it(store: Store, careful: Target) -> None:
    loss = {"class": "loss", "object": "public.users"}
    asked = ask(store, careful, dangers=[loss, {"class": "security", "object": "x"}], statements=[{"stall_ms": 420}])
    said = answer(store, careful, asked)
    assert (said.content_hash, said.accepts) == (CONTENT, Accepts(("public.users",), 420))
    assert said.accepts.sentence == (
        "A yes accepts that it destroys what stands in public.users and that writers wait for about 420 ms."
    )
    with store.read() as tx:
        kept = tx.execute(select(audit_table.c.detail).where(audit_table.c.action == "approve a deploy")).scalar_one()
    assert (kept["content_hash"], kept["accepts"]["loss"]) == (CONTENT, ["public.users"])


def test_a_yes_of_before_the_content_was_kept_is_read_and_is_for_another_plan(store: Store, careful: Target) -> None:
    old = answer(store, careful, ask(store, careful))
    with store.write() as tx:
        tx.execute(update(approvals_table).values(content_hash=None, accepts=None))
    assert newest_approval(store, "staging", PLAN) == replace(old, content_hash=None)
    assert [one.id for one in recent_approvals(store, "staging")] == [old.id]

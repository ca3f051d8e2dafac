"""The second person's answer to the plan that was rehearsed: asked for, waiting, given, refused or expired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.actions import Act, action_button
from dashboard.components import times
from dashboard.components.plain import plain, strong
from dashboard.context import PageContext
from services.access.permissions import Permission
from services.releases.approvals import (
    Accepts,
    Approval,
    ApprovalState,
    ask_for_approval,
    decide,
    newest_approval,
)
from services.releases.second_person import cannot_be_told_apart

LOOK = {
    ApprovalState.WAITING: ":yellow[:material/hourglass_top:]",
    ApprovalState.APPROVED: ":green[:material/how_to_reg:]",
    ApprovalState.REFUSED: ":red[:material/block:]",
    ApprovalState.EXPIRED: ":gray[:material/timer_off:]",
    ApprovalState.USED: ":gray[:material/task_alt:]",
    ApprovalState.WITHDRAWN: ":red[:material/undo:]",
}


def approval_part(context: PageContext, release_id: str, rehearsal: Mapping[str, Any]) -> None:
    """Nothing on a target that asks for no second person, and before there is a plan to approve."""
    if not context.target.second_approval:
        return
    plan = rehearsal.get("plan_hash")
    if not plan or rehearsal.get("verdict") != "pass":
        st.caption("A second person approves the plan once its rehearsal has passed.")
        return
    known = newest_approval(context.store, context.target.name, str(plan))
    with st.container(border=True):
        if known is not None:
            _told(context, known)
        else:
            told = (
                f"{_hashes(plan, rehearsal.get('content_hash'))}; it holds for {context.target.approval_hours:g} hours"
            )
            heading = strong("A second person has to approve this plan")
            st.markdown(f":material/group: {heading} :small[:gray[{plain(told)}]]")
            _accepts(Accepts.of(rehearsal))
        state = known.state(context.now) if known else None
        if state is ApprovalState.WAITING and known is not None:
            _answer(context, known)
        elif state is ApprovalState.APPROVED and known is not None:
            _take_back(known, context)
        else:
            _question(context, release_id, rehearsal, known)


def _told(context: PageContext, known: Approval) -> None:
    state = known.state(context.now)
    asked = f"asked by {known.asked_by.name} {times.age(known.asked, context.now)}"
    answered = f", answered by {known.decided_by.name}" if known.decided_by else ""
    expires = f", holds until {times.exact(known.expires, now=context.now)}" if state is ApprovalState.APPROVED else ""
    told = f"{_hashes(known.plan_hash, known.content_hash)}, {asked}{answered}{expires}"
    st.markdown(f"{LOOK[state]} {strong(f'Approval: {state.value}')} :small[:gray[{plain(told, limit=400)}]]")
    _accepts(known.accepts)
    if known.reason:
        st.markdown(plain(known.reason, limit=900))
    if known.withdrawn_by is not None:
        taken = f"Taken back by {known.withdrawn_by.name}: {known.withdrawn_because}"
        st.markdown(plain(taken, limit=900))


def _hashes(plan: object, content: object) -> str:
    return f"plan hash {str(plan)[:12]}" + (f" of content {str(content)[:12]}" if content else "")


def _accepts(what: Accepts) -> None:
    if what.sentence:
        st.markdown(f":orange[:material/warning:] {plain(what.sentence, limit=900)}")


def _question(context: PageContext, release_id: str, rehearsal: Mapping[str, Any], known: Approval | None) -> None:
    blocked = None
    if not context.actor.may(Permission.DEPLOY):
        blocked = f"You are {context.actor.role.value}: your role may not {Permission.DEPLOY.value}."

    def ask(context: PageContext) -> object:
        return ask_for_approval(
            context.store,
            actor=context.actor,
            target=context.target,
            release_id=release_id,
            rehearsal=rehearsal,
            now=context.now,
            run_id=context.run_id,
        )

    label = "Ask again" if known else "Ask for approval"
    action_button(label, ask, key="ask-approval", icon="group_add", done="Everybody here is told.", blocked=blocked)


def _answer(context: PageContext, known: Approval) -> None:
    st.text_input("Reason", key="approval-reason", placeholder="What was looked at, or what has to change")
    blocked = None
    if not context.actor.may(Permission.APPROVE):
        blocked = f"You are {context.actor.role.value}: your role may not {Permission.APPROVE.value}."
    same = cannot_be_told_apart(known.asked_by, context.actor)
    with st.container(horizontal=True, vertical_alignment="center"):
        yes_blocked = blocked or (f"A second person has to approve this, and {same}." if same else None)
        action_button(
            "Approve", _decide(known, approve=True), key="approve", icon="how_to_reg", primary=True, blocked=yes_blocked
        )
        mine = known.asked_by.id == context.actor.id
        label = "Take the question back" if mine else "Refuse"
        action_button(label, _decide(known, approve=False), key="refuse", icon="block", blocked=blocked)
    if yes_blocked:
        st.caption(plain(yes_blocked))


def _take_back(known: Approval, context: PageContext) -> None:
    st.text_input("Reason", key="approval-reason", placeholder="Why it is not to be deployed after all")
    blocked = None
    if not context.actor.may(Permission.APPROVE):
        blocked = f"You are {context.actor.role.value}: your role may not {Permission.APPROVE.value}."
    action_button(
        "Take the yes back",
        _decide(known, approve=False),
        key="take-back",
        icon="undo",
        done="No deploy begins on it any more; one that is under way goes on.",
        blocked=blocked,
    )


def _decide(known: Approval, *, approve: bool) -> Act:
    """Answer the question that the screen showed."""

    def act(context: PageContext) -> object:
        return decide(
            context.store,
            actor=context.actor,
            target=context.target,
            approval_id=known.id,
            approve=approve,
            reason=str(st.session_state.get("approval-reason", "")),
            now=context.now,
        )

    return act

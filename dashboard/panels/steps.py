"""The checklist: a phase with its gate, its steps, and all that can be done about the one that is open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from dashboard.actions import Act, action_button
from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.choice import choose_part
from dashboard.components.evidence import check_line, evidence_facts
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.context import PageContext
from dashboard.links import page_link
from dashboard.panels.guides import playbook_panel
from dashboard.panels.release_steps import redeploy_plan
from dashboard.panels.standing import ELSEWHERE, step_act
from services.access.permissions import Permission
from services.app_definition import Link
from services.jobs.kinds import job_kind
from services.releases import actions
from services.releases.gate import blockers, waiting_for
from services.releases.ledger import sign_off, waive, withdraw
from services.releases.run import PhaseView, RunView, StepView

WAIVER_DAYS = {"1 day": 1, "3 days": 3, "7 days": 7, "14 days": 14}


def phase_choice(view: RunView, default: str) -> PhaseView:
    """The row of phases; the chosen one is in the address, else it is that of the step in the address."""
    titles = {phase.id: f"{phase.phase.title} {phase.settled}/{len(phase.steps)}" for phase in view.phases}
    step_id = st.query_params.get("step")
    of_step = next((phase.id for phase in view.phases if any(step.id == step_id for step in phase.steps)), default)
    shown = choose_part("phase", titles, of_step)
    return next(phase for phase in view.phases if phase.id == shown)


def gate_line(view: RunView, phase: PhaseView) -> None:
    """What the phase is for, and whether it may be entered."""
    blocking = blockers(view, phase.id)
    if phase.phase.why:
        st.caption(plain(phase.phase.why))
    if blocking:
        named = "; ".join(f"{blocker.step_id} {blocker.title} ({blocker.state.value})" for blocker in blocking)
        st.warning(
            f"{strong('This phase is closed.')} {plain(f'Before it opens: {named}.', limit=900)}",
            icon=":material/lock:",
        )


def step_row(context: PageContext, view: RunView, step: StepView, links: Mapping[str, Link]) -> None:
    """One step as a row that opens; only the open one is drawn in full, and opening one closes the others."""
    seen = f" :small[:gray[{plain(times.age(step.latest, context.now))}]]" if step.latest else ""
    optional = "" if step.step.required else " :small[:gray[optional]]"
    row = st.expander(
        f"{inline_badge(str(step.state))} {strong(step.step.title)} :small[:gray[{plain(step.id)}]]{optional}{seen}",
        key=_row_key(step.id),
        on_change=_opened,
        args=(step.id, [other.id for other in view.steps]),
        expanded=st.query_params.get("step") == step.id,
    )
    if row.open:
        with row:
            _open_step(context, view, step, links)


def _row_key(step_id: str) -> str:
    return f"row-{step_id}"


def _opened(step_id: str, all_ids: list[str]) -> None:
    is_open = bool(st.session_state.get(_row_key(step_id)))
    for other in all_ids:
        if other != step_id and st.session_state.get(_row_key(other)):
            st.session_state[_row_key(other)] = False
    if is_open:
        st.query_params["step"] = step_id
    else:
        st.query_params.pop("step", None)


def _open_step(context: PageContext, view: RunView, step: StepView, links: Mapping[str, Link]) -> None:
    st.markdown(plain(step.because))
    _reasons(step)
    if step.step.action == "redeploy_app":
        redeploy_plan(context)
    for check in step.checks:
        check_line(check, context.now, links=links)
    if step.job:
        show_job(step.job.id, key=f"step-{step.id}", compact=True, live=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _work_buttons(context, view, step)
    _decision(context, view, step)
    _places(step, links)
    if step.step.playbook and step.state.value in ("failed", "unknown", "contradicted"):
        playbook_panel(context, step.step.playbook, links)
    taken = [check.evidence for check in step.checks if check.evidence]
    if taken and st.toggle("Show the facts behind the evidence", key=f"facts-{step.id}"):
        for evidence in taken:
            st.markdown(f"`{evidence.check_id}`")
            evidence_facts(evidence, context.now)


def _reasons(step: StepView) -> None:
    parts = (("The guide asks", step.step.demand), ("We look at", step.step.proof), ("Because", step.step.why))
    text = "  \n".join(f":gray[{name}:] {plain(told, limit=900)}" for name, told in parts if told)
    if text:
        st.markdown(text)


def _work_buttons(context: PageContext, view: RunView, step: StepView) -> None:
    needed = waiting_for(view, step)
    blocked = "Needs first: " + ", ".join(other.id for other in needed) if needed else None
    running = "It is running." if step.job and step.job.active else None
    key = f"{step.id}-{step.jobs}"
    if step.step.action in ELSEWHERE:
        path, label, part = ELSEWHERE[step.step.action]
        page_link(context, path, label, part=part)
    elif step.step.action:
        kind = job_kind(step.step.action)
        right = None if context.actor.may(kind.permission) else f"Your role may not {kind.permission.value}."
        action_button(
            kind.title,
            step_act(view.run.id, step),
            key=f"act-{key}",
            icon="play_arrow",
            primary=not step.settled,
            blocked=running or blocked or right,
        )
    if step.step.checks:
        right = None if context.actor.may(Permission.RUN_CHECKS) else "Your role may not run checks."
        label = "Run its checks" if step.latest is None else "Check again"
        action_button(label, _check(view.run.id, step), key=f"check-{key}", icon="refresh", blocked=running or right)


def _check(run_id: str, step: StepView) -> Act:
    return lambda context: actions.check_step(
        context.store,
        actor=context.actor,
        target=context.target,
        run_id=run_id,
        step_id=step.id,
        seen=step.jobs,
        now=context.now,
    )


def _decision(context: PageContext, view: RunView, step: StepView) -> None:
    """Sign-off, waiver and withdrawal; each bound to the decisions that the screen shows."""
    if step.decision is not None:
        _decided(context, view, step)
    may_sign = context.actor.may(Permission.SIGN_OFF)
    with st.container(horizontal=True):
        if step.step.signoff and (step.decision is None or step.decision.kind != "signed"):
            with st.popover(
                "Sign off", icon=":material/draw:", key=f"sign-{step.id}-{step.decisions}", disabled=not may_sign
            ):
                _sign_form(view.run.id, step)
        if step.state.value != "passed" and step.decision is None:
            with st.popover(
                "Waive", icon=":material/front_hand:", key=f"waive-{step.id}-{step.decisions}", disabled=not may_sign
            ):
                _waive_form(context, view.run.id, step)
    if not may_sign and (step.step.signoff or not step.settled):
        st.caption(plain(f"You are {context.actor.role.value}: signing and waiving need an operator."))


def _decided(context: PageContext, view: RunView, step: StepView) -> None:
    decision = step.decision
    if decision is None:
        return
    told = decision.payload.get("note") or decision.payload.get("reason") or ""
    st.markdown(
        f":violet[:material/draw:] {strong(decision.actor)} {plain(decision.kind)} it "
        f"{plain(times.age(decision.at, context.now))}{': ' + plain(told) if told else ''}"
    )
    if context.actor.may(Permission.SIGN_OFF):
        act: Act = lambda context: withdraw(  # noqa: E731
            context.store,
            actor=context.actor,
            run_id=view.run.id,
            step_id=step.id,
            seen=step.decisions,
            now=context.now,
        )
        action_button("Withdraw", act, key=f"withdraw-{step.id}-{step.decisions}", icon="undo")


def _sign_form(run_id: str, step: StepView) -> None:
    if step.step.look_at:
        st.markdown(f":gray[Look at:] {plain(step.step.look_at, limit=900)}")
    note_key = f"draft-note-{step.id}"
    st.text_area("Note: what you looked at", key=note_key, max_chars=500, height=90)

    def act(context: PageContext) -> object:
        note = str(st.session_state.get(note_key, ""))
        return sign_off(
            context.store,
            actor=context.actor,
            run_id=run_id,
            step_id=step.id,
            note=note,
            seen=step.decisions,
            now=context.now,
        )

    action_button("Sign it off", act, key=f"signing-{step.id}-{step.decisions}", primary=True, icon="draw")


def _waive_form(context: PageContext, run_id: str, step: StepView) -> None:
    st.caption("It stays “waived” on every page and never becomes “passed”.")
    reason_key, owner_key, days_key = (f"draft-{name}-{step.id}" for name in ("reason", "owner", "days"))
    st.text_area("Reason", key=reason_key, max_chars=500, height=90)
    st.text_input("Owner: who looks after it", key=owner_key, value=context.actor.name)
    st.segmented_control("For", list(WAIVER_DAYS), key=days_key, default="1 day", required=True)

    def act(context: PageContext) -> object:
        days = WAIVER_DAYS.get(str(st.session_state.get(days_key)), 1)
        return waive(
            context.store,
            actor=context.actor,
            run_id=run_id,
            step_id=step.id,
            reason=str(st.session_state.get(reason_key, "")),
            owner=str(st.session_state.get(owner_key, "")),
            until=context.now + timedelta(days=days),
            seen=step.decisions,
            now=context.now,
        )

    action_button("Waive it", act, key=f"waiving-{step.id}-{step.decisions}", icon="front_hand")


def _places(step: StepView, links: Mapping[str, Link]) -> None:
    """The places outside where this is seen or mended, and the playbook."""
    named = [links[key] for key in step.step.links if key in links]
    if named:
        st.markdown(" · ".join(f"[{plain(link.title)}]({link.url})" for link in named))

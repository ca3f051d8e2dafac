"""Overview: where the run stands, in figures that say how they were made, and the one thing to do next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from dashboard.actions import Act, action_button
from dashboard.components.badges import inline_badge
from dashboard.components.empty import nothing_now
from dashboard.components.plain import plain, strong
from dashboard.context import PageContext, choose_run
from dashboard.links import go_to, page_link
from services.access.permissions import Permission
from services.jobs.kinds import job_kind
from services.releases import actions
from services.releases.bundle import Release
from services.releases.ledger import start_run
from services.releases.overview import Explained, Overview
from services.releases.run import RunView, StepView

RISK_LOOK = {"low": ("green", "shield"), "medium": ("orange", "warning"), "high": ("red", "dangerous")}
ELSEWHERE = {"deploy": ("/database", "Open the deploy", "Deploy")}
"""Actions with a page of their own: they need a typed phrase, so that a button here must not start them."""


def start_panel(context: PageContext, releases: Sequence[Release]) -> None:
    """No run yet: what can be released, and the button that starts it."""
    for release in releases:
        with st.container(border=True):
            st.subheader(plain(release.title), anchor=False)
            st.markdown(
                f"{len(release.steps)} steps in {len(release.phases)} phases, {len(release.deploy)} deploy scripts, "
                f"{len(release.verify)} verification queries, {len(release.rollback)} rollback scripts. "
                f"The team expects {release.expected_minutes or 'an unknown number of'} minutes and calls the risk "
                f"{strong(release.risk or 'unknown')}."
            )
            action_button(
                f"Start the release on {context.target.name}",
                _start(release.id, context.run_id),
                key=f"start-{release.id}",
                icon="play_arrow",
                primary=True,
                blocked=None if context.actor.may(Permission.SIGN_OFF) else "Viewers cannot start a run.",
            )


def _start(release_id: str, shown_run: str | None) -> Act:
    """Start a run. shown_run: the run on the screen when the button was drawn, so that a second press is the same."""

    def act(context: PageContext) -> None:
        from dashboard.runs import releases_of

        release = next(release for release in releases_of(context) if release.id == release_id)
        key = f"{context.target.name}/{release.content_hash}/after-{shown_run or 'none'}"
        run_id = start_run(
            context.store,
            actor=context.actor,
            release=release,
            target=context.target.name,
            now=context.now,
            idempotency_key=key,
        )
        choose_run(context, run_id)

    return act


def next_panel(context: PageContext, view: RunView, shown: Overview) -> None:
    """One sentence, one button."""
    with st.container(border=True, key="next-panel"):
        st.markdown(f":material/arrow_forward: {strong(shown.next.sentence)}")
        if shown.next.step_id is None:
            return
        step = view.step(shown.next.step_id)
        with st.container(horizontal=True, vertical_alignment="center"):
            if shown.next.button is not None:
                _next_button(context, view, step, shown.next.button)
            page_link(context, "/checklist", f"{step.id} on the checklist", phase=step.phase_id, step=step.id)


def _next_button(context: PageContext, view: RunView, step: StepView, label: str) -> None:
    key = f"next-{step.id}-{step.jobs}"
    if step.step.action in ELSEWHERE:
        path, text, part = ELSEWHERE[step.step.action]
        if st.button(text, key=key, type="primary", icon=":material/arrow_forward:"):
            go_to(context, path, part=part)
    elif step.step.action or (step.step.checks and step.state.value != "todo") or not step.step.signoff:
        blocked = None if context.actor.may(_permission(step)) else f"You are {context.actor.role.value}."
        action_button(
            label,
            step_act(view.run.id, step),
            key=key,
            icon="play_arrow",
            primary=True,
            blocked=blocked,
            shortcut="Alt+N",
        )
    elif st.button(label, key=key, type="primary", icon=":material/draw:"):
        go_to(context, "/checklist", phase=step.phase_id, step=step.id)


def _permission(step: StepView) -> Permission:
    return job_kind(step.step.action or "check").permission


def step_act(run_id: str, step: StepView, *, predict: bool = False) -> Act:
    """What the step's button does: its action, else its checks; bound to the jobs that the screen shows.

    predict: for a rehearsal, whether times on the target's real size are reckoned too.
    """

    def act(context: PageContext) -> object:
        set_going = partial(actions.act, predict=predict) if step.step.action else actions.check_step
        return set_going(
            context.store,
            actor=context.actor,
            target=context.target,
            run_id=run_id,
            step_id=step.id,
            seen=step.jobs,
            now=context.now,
        )

    return act


def figures(view: RunView, shown: Overview, score: dict[str, Any], score_age: str) -> None:
    """Risk, steps, time left and score as tiles; each opens its formula."""
    colour, icon = RISK_LOOK[str(shown.risk.value)]
    with st.grid(4, min_column_width=200):
        with st.container(border=True, height="stretch"):
            st.metric("Risk now", f":{colour}[:material/{icon}: {str(shown.risk.value).capitalize()}]")
            formula("risk", shown.risk)
        with st.container(border=True, height="stretch"):
            st.metric("Required steps settled", f"{shown.settled} of {shown.of}")
            per_phase = {phase.phase.title: f"{phase.settled} of {len(phase.steps)}" for phase in view.phases}
            formula("steps", Explained(None, "passed or waived; waived is not passed. By phase:", per_phase))
        with st.container(border=True, height="stretch"):
            st.metric("Time left", f"{shown.minutes_left.value:g} min")
            formula("eta", shown.minutes_left)
        with st.container(border=True, height="stretch"):
            value = f"{score['passed']} of {score['of']}" if score else "not measured"
            st.metric("Production test", value)
            st.caption(score_age)


def formula(key: str, explained: Explained) -> None:
    """The formula behind a figure, one click away."""
    with st.popover("How is this computed?", type="tertiary", key=f"formula-{key}"):
        st.markdown(plain(explained.formula.capitalize(), limit=1000))
        for name, value in explained.inputs.items():
            shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
            st.markdown(f"- {plain(name)}: {strong(shown if shown != '' else 'none')}")


def blockers_panel(context: PageContext, view: RunView, shown: Overview) -> None:
    """The shortest list of what keeps the next phase closed."""
    titles = [phase.phase.title for phase in view.phases]
    position = [phase.id for phase in view.phases].index(shown.phase_id) + 1
    title = f"What blocks “{titles[position]}”" if position < len(titles) else "Blockers"
    st.subheader(plain(title), anchor=False)
    if not shown.blockers:
        nothing_now("Nothing blocks the way.")
        return
    for blocker in shown.blockers:
        with st.container(border=True, gap="xsmall", key=f"blocker-{blocker.step_id}"):
            st.markdown(f"{inline_badge(str(blocker.state))} {strong(blocker.title)}")
            st.markdown(f"{plain(blocker.why)} {plain(blocker.do)}")
            page_link(context, "/checklist", blocker.step_id, phase=shown.phase_id, step=blocker.step_id)

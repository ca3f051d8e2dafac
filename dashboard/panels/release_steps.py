"""Finding the step of a run that carries out an action, and the button that sets an action going."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.actions import Act, action_button
from dashboard.components import times
from dashboard.components.plain import plain
from dashboard.context import PageContext
from dashboard.panels.standing import step_act
from dashboard.results import Results
from services.jobs.app_actions import redeploy_sentence
from services.jobs.arming import armed, is_armed_for_use
from services.jobs.kinds import job_kind
from services.jobs.queue import enqueue
from services.jobs.watch import show_interest
from services.releases.gate import blockers, waiting_for
from services.releases.ledger import newest_evidence
from services.releases.run import RunView, StepView

PLATFORM = "deployment-state"
"""The check whose facts name the deployments that serve and that were pushed."""


def step_of(view: RunView | None, action: str) -> StepView | None:
    """The first step whose action this is; None without a run, or where the release has none."""
    return next((step for step in view.steps if step.step.action == action), None) if view else None


def why_blocked(context: PageContext, kind: str, view: RunView | None, step: StepView | None) -> str | None:
    """Why the action cannot be asked for now, from what is stored; None where it can. The service asks again."""
    spec = job_kind(kind)
    if not context.actor.may(spec.permission):
        return f"You are {context.actor.role.value}: your role may not {spec.permission.value}."
    if not context.target.allows(spec.level):
        return f"{context.target.name} has not been granted the level “{spec.level.value}”."
    if is_armed_for_use(spec.level, context.target) and armed(context.store, context.target.name, context.now) is None:
        return f"{context.target.name} is not armed: nobody has lent its worker the owner's address."
    if view is None or step is None:
        return None
    if step.job is not None and step.job.active:
        return "It is running."
    needed = [*(blocker.step_id for blocker in blockers(view, step.phase_id)), *(s.id for s in waiting_for(view, step))]
    if needed:
        more = f" and {len(needed) - 4} more" if len(needed) > 4 else ""
        return f"Not settled yet: {', '.join(dict.fromkeys(needed[:4]))}{more}."
    return None


def set_going_button(
    context: PageContext,
    kind: str,
    label: str,
    *,
    view: RunView | None,
    results: Results,
    payload: Mapping[str, Any],
    icon: str = "play_arrow",
    primary: bool = False,
) -> None:
    """A button for an action that needs no phrase: the run's step where its turn has come, else a job of its own."""
    step = step_of(view, kind)
    blocked = why_blocked(context, kind, None, None) or ("It is running." if results.running else None)
    counts = view is not None and step is not None and why_blocked(context, kind, view, step) is None
    if counts and view and step:
        act = step_act(view.run.id, step, predict=bool(payload.get("predict")))
    else:
        act = enqueue_act(kind, payload, results.seen)
    action_button(label, act, key=f"go-{kind}-{results.seen}", icon=icon, primary=primary, blocked=blocked)
    if step is not None and not counts and blocked is None:
        st.caption(plain(f"You may run it at any time; for {step.id} it counts once that step's turn has come."))


def enqueue_act(kind: str, payload: Mapping[str, Any], seen: int, *, of_run: bool = True) -> Act:
    """Queue a job that belongs to no step. seen: how many of its kind the screen showed, so that two clicks are one."""

    def act(context: PageContext) -> object:
        run_id = context.run_id if of_run else None
        named = "-".join(str(payload[name]) for name in sorted(payload) if isinstance(payload[name], str))
        return enqueue(
            context.store,
            actor=context.actor,
            kind=kind,
            target=context.target,
            payload=payload,
            idempotency_key=f"{context.target.name}/{run_id}/{kind}/{named}/{seen + 1}",
            now=context.now,
            run_id=run_id,
        )

    return act


def redeploy_plan(context: PageContext) -> None:
    """Which deployment and commit a redeploy would start, as the platform was seen last, and why not a restart."""
    show_interest(context.store, context.target.name, "redeploy", context.now)
    seen = newest_evidence(context.store, context.target.name, [PLATFORM]).get(PLATFORM)
    if seen is None or not seen.facts.get("pushed"):
        st.markdown(":gray[Which deployment it starts has not been looked at yet; it is told when it begins.]")
        return
    told = redeploy_sentence(seen.facts["pushed"], seen.facts.get("serving"))
    st.markdown(f"{plain(told, limit=600)} :small[:gray[{plain(times.age(seen.started, context.now))}]]")

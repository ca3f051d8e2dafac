"""The deploy: what stands before it, the typed confirmation, its statements and notices as they come, its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.confirm import Irreversible, open_confirmation
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.context import PageContext, current
from dashboard.panels.approvals import approval_part
from dashboard.panels.arming import arming_part
from dashboard.panels.by_hand import by_hand_part
from dashboard.panels.deploy_progress import statement_progress
from dashboard.panels.rehearsals import failure
from dashboard.panels.release_steps import step_of, why_blocked
from dashboard.results import Results, results_of
from services.database.deployment.stalls import longest_stall_ms, rounded_up
from services.errors import Refused
from services.jobs.checking import last_rehearsal
from services.jobs.queue import events
from services.releases import actions
from services.releases.approvals import require_approval
from services.releases.run import RunView, StepView


def deploy_panel(context: PageContext, view: RunView) -> None:
    """The deploy step of this run, whatever state it is in; opening the page again shows the same."""
    step = step_of(view, "deploy")
    if step is None:
        st.caption("This release has no deploy step.")
        return
    results = results_of(context, "deploy")
    st.markdown(f"{inline_badge(str(step.state))} {plain(step.because, limit=900)}")
    _rolled_back_since(context, results)
    arming_part(context)
    stall = None
    if step.state.value != "passed":
        rehearsal = last_rehearsal(context.store, context.target.name, view.release) or {}
        approval_part(context, view.release.id, rehearsal)
        if results.running is None:
            stall = _deploy_button(context, view, step, rehearsal)
    if results.newest is not None:
        show_job(results.newest.id, key="deploy", live=False)
        _result(results)
        statement_progress(events(context.store, results.newest.id), running=results.running is not None)
    if step.state.value != "passed" and results.running is None:
        by_hand_part(context, view, step, stall)


def _rolled_back_since(context: PageContext, deploys: Results) -> None:
    """What the deploy left is not there any more: no green of it says so by itself."""
    back = results_of(context, "rollback")
    deployed, ended = (one.ended.finished if one.ended else None for one in (deploys, back))
    if deployed is None or ended is None or ended < deployed or "fingerprint_restored" not in back.document:
        return
    st.warning(
        f"{strong('It was rolled back')} {plain(times.age_at(ended, context.now))}. What stands here was seen before.",
        icon=":material/undo:",
    )


def _deploy_button(context: PageContext, view: RunView, step: StepView, rehearsal: Mapping[str, Any]) -> float | None:
    """Returns how many milliseconds of waiting were accepted, None where none were."""
    longest, stall = _accepted_stall(rehearsal, context.now)
    blocked = why_blocked(context, "deploy", view, step) or _not_approved(context, view, rehearsal)
    if blocked is None and longest is not None and stall is None:
        blocked = f"Writers would wait for about {longest:.0f} ms: accept that first, or the deploy refuses."
    pressed = st.button(
        f"Deploy to {context.target.name} …",
        key="open-deploy",
        type="primary",
        icon=":material/rocket_launch:",
        disabled=blocked is not None,
        help=blocked,
    )
    if blocked:
        st.caption(plain(blocked))
    if pressed:
        release = view.release
        kept = "What it takes away is kept first, proved, and merged back by a rollback. " if _loses(rehearsal) else ""
        open_confirmation(
            Irreversible(
                key="deploy",
                title=f"Deploy {release.id} to {context.target.name}",
                effect=f"Deploy to {context.target.name}",
                phrase=actions.deploy_phrase(release.id, context.target.name),
                what=f"{len(release.deploy)} scripts run in one transaction, with {len(release.verify)} verification "
                "queries before COMMIT. If any of them fails, nothing is changed. The build that serves now is pinned "
                "first: it is where a back-out returns to.",
                keeps=f"{kept}A deploy is taken back with /rollback, which shows what would go before it goes.",
                act=_deploy(view.run.id, step, stall),
            )
        )
    return stall


def _not_approved(context: PageContext, view: RunView, rehearsal: Mapping[str, Any]) -> str | None:
    """Why a second person's yes is still missing, in the service's own words; None where none is."""
    try:
        plan = str(rehearsal.get("plan_hash") or view.release.content_hash)
        require_approval(context.store, actor=context.actor, target=context.target, plan_hash=plan, now=context.now)
    except Refused as refusal:
        return refusal.what
    return None


def _accepted_stall(rehearsal: Mapping[str, Any], now: datetime) -> tuple[float | None, float | None]:
    """The longest predicted wait in ms, None where nobody has to wait for long; and what a person accepts of it."""
    longest = longest_stall_ms(rehearsal)
    if longest is None:
        return None, None
    then = rehearsal.get("predicted_at")
    of_age = f" (predicted {times.age(datetime.fromisoformat(then), now)})" if then else ""
    accepted = st.checkbox(
        f"Writers may wait for about {longest:.0f} ms while this is deployed{of_age}",
        key="accept-stall",
        help="Predicted from the rehearsal. Unless it is accepted, the deploy refuses and names the statement.",
    )
    return longest, float(rounded_up(longest)) if accepted else None


def _loses(rehearsal: Mapping[str, Any]) -> bool:
    return any(one.get("class") == "loss" for one in rehearsal.get("dangers") or ())


def _deploy(run_id: str, step: StepView, accept_stall_ms: float | None) -> Callable[[str], object]:
    def confirmed(phrase: str) -> object:
        context = current()
        return actions.act(
            context.store,
            actor=context.actor,
            target=context.target,
            run_id=run_id,
            step_id=step.id,
            seen=step.jobs,
            phrase=phrase,
            accept_stall_ms=accept_stall_ms,
            now=context.now,
        )

    return confirmed


def _result(results: Results) -> None:
    found: Mapping[str, Any] = results.document
    if results.running or not found:
        return
    failure(
        "The deploy failed; nothing was changed" if not found.get("applied") else "After COMMIT", found.get("failure")
    )
    parts = found.get("parts") or {}
    if found.get("state") == "begun":
        done = f"{parts.get('done')} of {parts.get('of')} parts are in"
        st.warning(f"{plain(done)}: deploy again, and it goes on from there.", icon=":material/pending:")
    if found.get("receipt_id"):
        took = times.duration_ms(float(found.get("transaction_ms") or 0))
        again = "at the first try" if not found.get("retries") else f"after {found['retries']} tries that gave way"
        st.markdown(
            f":material/receipt_long: Deploy receipt {strong(found['receipt_id'])} is in the target; "
            f"BEGIN to COMMIT took {took}, {plain(again)}."
        )
    if found.get("snapshot_id"):
        parked = f"; parked: {', '.join(map(str, found['parked']))}" if found.get("parked") else ""
        st.markdown(
            f":material/inventory_2: What it took away is kept in {strong(found['snapshot_id'])}{plain(parked)}."
        )
    _tried(found.get("roles") or {}, found.get("rest") or {})


def _tried(roles: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
    """What was tried after COMMIT as the roles that come over REST, and whether the new tables answer there."""
    tried = [(f"as {one.get('role')}: {one.get('object')}", one) for one in roles.get("trials") or ()]
    tried += [(f"over REST: {one.get('table')}", one) for one in rest.get("tables") or ()]
    for head, one in tried:
        if one.get("verdict") != "pass":
            badge = inline_badge(str(one.get("verdict")))
            st.markdown(f"{badge} {plain(head)} {plain(one.get('message', ''), limit=600)}")
    for reason in [*(roles.get("not_tried") or ()), *filter(None, [rest.get("not_asked")])]:
        st.markdown(f":yellow[:material/help:] Not tried: {plain(reason, limit=600)}")

"""The deploy: what stands before it, the typed confirmation, its statements and notices as they come, its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components.badges import inline_badge
from dashboard.components.confirm import Irreversible, open_confirmation
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.context import PageContext, current
from dashboard.panels.arming import arming_part
from dashboard.panels.rehearsals import failure
from dashboard.panels.release_steps import step_of, why_blocked
from dashboard.results import Results, results_of
from services.jobs.queue import JobEvent, events
from services.releases import actions
from services.releases.run import RunView, StepView


def deploy_panel(context: PageContext, view: RunView) -> None:
    """The deploy step of this run, whatever state it is in; opening the page again shows the same."""
    step = step_of(view, "deploy")
    if step is None:
        st.caption("This release has no deploy step.")
        return
    results = results_of(context, "deploy")
    st.markdown(f"{inline_badge(str(step.state))} {plain(step.because, limit=900)}")
    arming_part(context)
    if step.state.value != "passed":
        _deploy_button(context, view, step)
    if results.newest is not None:
        show_job(results.newest.id, key="deploy", live=False)
        _result(results)
        statement_progress(events(context.store, results.newest.id), running=results.running is not None)


def _deploy_button(context: PageContext, view: RunView, step: StepView) -> None:
    blocked = why_blocked(context, "deploy", view, step)
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
        open_confirmation(
            Irreversible(
                key="deploy",
                title=f"Deploy {release.id} to {context.target.name}",
                effect=f"Deploy to {context.target.name}",
                phrase=actions.deploy_phrase(release.id, context.target.name),
                what=f"{len(release.deploy)} scripts run in one transaction, with {len(release.verify)} verification "
                "queries before COMMIT. If any of them fails, nothing is changed. The build that serves now is pinned "
                "first: it is where a back-out returns to.",
                keeps="A deploy is taken back with /rollback, which shows what would go before it goes.",
                act=_deploy(view.run.id, step),
            )
        )


def _deploy(run_id: str, step: StepView) -> Callable[[str], object]:
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
            now=context.now,
        )

    return confirmed


def statement_progress(story: Sequence[JobEvent], *, running: bool) -> None:
    """The statement that runs, how many have run, and the target's NOTICEs as they came."""
    statements = [event for event in story if event.kind == "statement"]
    notices = [event for event in story if event.kind == "notice"]
    if statements and running:
        last = statements[-1].payload
        sql = " ".join(str(last.get("sql", "")).split())[:110]
        st.caption(plain(f"Statement {last.get('index')} of {last.get('of')} · {last.get('file')}:{last.get('line')}"))
        st.code(sql, language="sql", wrap_lines=True)
    if notices:
        st.markdown(f"{strong('What the database said')} :small[:gray[{len(notices)} notices]]")
        text = "\n".join(
            f"{event.payload.get('severity', 'NOTICE')}: {event.payload.get('message')}" for event in notices
        )
        st.code(text, language=None, wrap_lines=True, height=220 if len(notices) > 9 else "content")


def _result(results: Results) -> None:
    found: Mapping[str, Any] = results.document
    if results.running or not found:
        return
    failure(
        "The deploy failed; nothing was changed" if not found.get("applied") else "After COMMIT", found.get("failure")
    )
    if found.get("receipt_id"):
        st.markdown(
            f":material/receipt_long: Deploy receipt {strong(found['receipt_id'])} is in the target; "
            f"BEGIN to COMMIT took {plain(found.get('transaction_ms'))} ms, {plain(found.get('retries', 0))} retries."
        )

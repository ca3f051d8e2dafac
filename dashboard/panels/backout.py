"""The back-out as an ordered plan: the app first, then look, and the database only if somebody chooses to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard.actions import action_button
from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.confirm import Irreversible, open_confirmation
from dashboard.components.empty import not_yet, nothing_now
from dashboard.components.plain import plain, strong
from dashboard.components.problem import problems_shown
from dashboard.components.progress import show_job
from dashboard.components.tables import table
from dashboard.context import PageContext, current
from dashboard.panels.bringing_back import bring_back_buttons, brought_back, conflicts
from dashboard.panels.deploy_progress import statement_progress
from dashboard.panels.release_steps import enqueue_act, why_blocked
from dashboard.reads import rollback_preview_now
from dashboard.results import Results, results_of
from services.jobs.queue import JobState, events, recent_jobs
from services.releases import actions
from services.releases.run import RunView


def step_app(context: PageContext, view: RunView, results: Results) -> None:
    """1. The app back to the build that was pinned at GO."""
    st.subheader("1 · Bring the app back", anchor=False)
    pin = view.pin
    if pin is None:
        not_yet("No build is pinned: nothing has been deployed in this run.", "GO pins the build that serves then.")
        return
    st.markdown(
        f"Pinned at GO: commit {strong(short(pin))} ({plain(pin.get('message') or 'no message')}), "
        f"build {strong(pin.get('build') or 'unknown')}, deployment {plain(pin.get('deployment_id'))}."
    )
    st.caption(
        "The platform brings back the image and its variables. It does not bring back the schema or the data: "
        "that is step 4, and it may not be needed."
    )
    blocked = why_blocked(context, "back_out_app", None, None) or ("It is running." if results.running else None)
    run_id, seen = view.run.id, results.seen
    action_button(
        f"Bring the app back to {short(pin)}",
        lambda here: actions.back_out_app(
            here.store, actor=here.actor, target=here.target, run_id=run_id, seen=seen, now=here.now
        ),
        key=f"back-out-{seen}",
        icon="undo",
        primary=results.document.get("routes") is None,
        blocked=blocked,
    )
    if results.newest is not None:
        show_job(results.newest.id, key="back-out", live=False)


def short(pin: Mapping[str, Any]) -> str:
    """The pinned commit as people name it."""
    return str(pin.get("commit") or "the pinned build")[:10]


def step_routes(context: PageContext, results: Results) -> bool:
    """2. The pinned build's own route list must be seen. Returns whether it was."""
    st.subheader("2 · See its route list", anchor=False)
    routes = results.document.get("routes")
    ended = results.ended
    if not isinstance(routes, Mapping) or ended is None or ended.finished is None:
        st.caption("Waits for step 1. What /health says is not looked at: it says the same in every build.")
        return False
    good = ended.state is JobState.PASSED
    st.markdown(
        f"{inline_badge('passed' if good else str(ended.state))} {plain(routes.get('summary', ''), limit=900)} "
        f":small[:gray[{plain(times.age(ended.finished, context.now))}]]"
    )
    return good


def step_look(context: PageContext, backed_out: Results, *, app_is_back: bool) -> None:
    """3. Stop and look. What was measured before the app came back says nothing about now."""
    st.subheader("3 · Stop and look", anchor=False)
    st.caption(
        "The database is as the release left it. Often the app alone is enough: the old build ignores what is new."
    )
    score = results_of(context, "score", run=False)
    action_button(
        "Run the production test",
        enqueue_act("score", {}, score.seen, of_run=False),
        key=f"look-{score.seen}",
        icon="fact_check",
        primary=app_is_back,
        blocked=why_blocked(context, "score", None, None) or ("It is running." if score.running else None),
    )
    if score.running:
        show_job(score.running.id, key="look", compact=True, live=False)
    elif score.ended is not None and score.ended.finished is not None:
        back = backed_out.ended.finished if backed_out.ended else None
        before = back is not None and score.ended.finished < back
        seen = times.age(score.ended.finished, context.now)
        aside = f"{seen}, before the app was brought back" if before else seen
        st.markdown(
            f"{inline_badge('expired' if before else str(score.ended.state))} "
            f"{plain(score.document.get('sentence', ''))} :small[:gray[{plain(aside)}]]"
        )


def what_would_go(context: PageContext, view: RunView, results: Results) -> None:
    """The preview and the button below it; after a rollback, that there is nothing to take back."""
    from services.database.rollback.roll_back import RolledBackAlready

    # What cannot be told leaves the rest of the page as it is.
    with problems_shown():
        try:
            preview = rollback_preview_now(context, view.release)
        except RolledBackAlready as done:
            jobs = recent_jobs(context.store, context.target.name, kind="rollback", limit=1000)
            who = next((job.actor.name for job in jobs if job.actor.id == done.by), "somebody else")
            when = f"Rolled back by {who} {times.age_at(done.at, context.now)}."
            nothing_now("Nothing of the release is there to take back.", when)
            return
        losses_part(preview)
        rollback_button(context, view, results, preview)


def losses_part(preview: Mapping[str, Any]) -> None:
    """Everything that a rollback takes with it; and its statements, where the release brings none."""
    seen = f"read from the target {times.age_at(preview['as_of'], current().now)}"
    st.markdown(f"{strong(preview['sentence'])} :small[:gray[{plain(seen)}]]")
    table(
        preview["losses"],
        name="blast-radius",
        empty="Nothing would go: no object of the release is there.",
        columns={"kind": "Kind", "object": "Object", "effect": "What happens to it", "rows": "Rows", "bytes": "Bytes"},
        config={"Bytes": st.column_config.NumberColumn(format="bytes")},
    )
    for unknown in (loss["object"] for loss in preview["losses"] if loss["effect"] == "unknown"):
        st.markdown(f":gray[:material/help:] Not known what it takes: {plain(unknown, limit=600)}")
    for left in preview["not_restored"]:
        st.markdown(f":orange[:material/warning:] Does not come back: {plain(left, limit=600)}")
    if preview["derived"]:
        with st.expander("The statements, derived from what the deploy changed", key="derived-rollback"):
            st.code(preview["derived"], language="sql")


def rollback_button(context: PageContext, view: RunView, results: Results, preview: Mapping[str, Any]) -> None:
    """4. The database, behind a typed phrase."""
    blocked = why_blocked(context, "rollback", None, None) or ("It is running." if results.running else None)
    pressed = st.button(
        f"Roll back the database of {context.target.name} …",
        key="open-rollback",
        icon=":material/delete_forever:",
        disabled=blocked is not None,
        help=blocked,
    )
    if blocked:
        st.caption(plain(blocked))
    if not pressed:
        return
    release = view.release.id
    open_confirmation(
        Irreversible(
            key="rollback",
            title=f"Roll back {release} on {context.target.name}",
            effect=f"Roll back on {context.target.name}",
            phrase=actions.rollback_phrase(release, context.target.name),
            what=f"{len(preview['losses'])} objects are touched. {preview['sentence']} What goes is moved aside or "
            "copied, and proved, in the same transaction; if it cannot be proved, nothing is changed.",
            keeps="Rows written since the deploy are kept, and what is kept can be brought back. What other systems "
            "did with the new tables meanwhile is not undone.",
            act=_roll_back(view.run.id, results.seen),
        )
    )


def _roll_back(run_id: str, seen: int) -> Callable[[str], object]:
    def confirmed(phrase: str) -> object:
        here = current()
        return actions.roll_back(
            here.store, actor=here.actor, target=here.target, run_id=run_id, seen=seen, phrase=phrase, now=here.now
        )

    return confirmed


def rollback_result(context: PageContext, results: Results) -> None:
    """The rollback as it runs and as it ended; and the way to put the rows back."""
    if results.newest is None:
        return
    if results.running:
        statement_progress(events(context.store, results.newest.id), running=True)
    show_job(results.newest.id, key="rollback", live=False)
    found = results.document
    if results.running or "fingerprint_restored" not in found:
        return
    restored, lost = bool(found.get("fingerprint_restored")), int(found.get("rows_lost") or 0)
    catalog = "is exactly as before the deploy" if restored else "is not as before the deploy"
    ended = results.ended.finished if results.ended else None
    again = results_of(context, "restore", run=False).ended
    changed_since = ended is not None and again is not None and again.finished is not None and again.finished > ended
    seen = f"seen {times.age_at(ended, context.now)}" if ended else ""
    aside = f"{seen}, and rows or objects were brought back since" if changed_since else seen
    badge = "expired" if changed_since else "passed" if restored else "failed"
    st.markdown(f"{inline_badge(badge)} The catalog {strong(catalog)}. :small[:gray[{plain(aside)}]]")
    st.markdown(f"{inline_badge('passed' if lost == 0 else 'failed')} {strong(lost)} rows lost.")
    if found.get("parked"):
        st.markdown(f":material/inventory_2: Moved aside: {plain(', '.join(map(str, found['parked'])), limit=900)}.")
    if found.get("proof"):
        proved = "unknown" if found.get("proved") is None else "passed" if found["proved"] else "failed"
        st.markdown(f"{inline_badge(proved)} Bringing it back was tried on a copy: {plain(found['proof'], limit=600)}")
    conflicts(found.get("conflicts") or (), name="rollback-conflicts")
    if found.get("snapshot_id"):
        _restore(context, str(found["snapshot_id"]))


def _restore(context: PageContext, snapshot_id: str) -> None:
    restores = results_of(context, "restore", run=False)
    st.markdown(f":material/inventory_2: Snapshot {strong(snapshot_id)} holds the rows that went.")
    bring_back_buttons(context, snapshot_id, restores, place="went")
    brought_back(restores, snapshot_id, place="went")

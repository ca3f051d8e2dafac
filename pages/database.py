"""Database: the scripts, their rehearsal on a copy, and the deploy as it runs."""

import streamlit as st

from dashboard.components import times
from dashboard.components.choice import choose_part
from dashboard.components.empty import not_yet
from dashboard.components.problem import problems_shown
from dashboard.components.progress import show_job
from dashboard.context import current
from dashboard.links import page_link
from dashboard.panels import deploys, rehearsals
from dashboard.panels.release_steps import set_going_button
from dashboard.panels.scripts import scripts_panel
from dashboard.results import results_of
from dashboard.runs import release_of, view_of

PARTS = ("Rehearsal", "Deploy", "Scripts")


@st.fragment(run_every=1)
def rehearsal() -> None:
    with problems_shown():
        context = current()
        release, found = release_of(context), results_of(context, "rehearse", run=False)
        st.caption(
            "The deploy is executed twice on a scratch database built from the target's catalog. "
            "The target itself is only read."
        )
        predicts = st.checkbox(
            "Also predict how long it takes on the target's real size",
            key="rehearse-predict",
            help="Statements are timed on copies of two sizes; it takes up to half a minute longer.",
        )
        set_going_button(
            context,
            "rehearse",
            "Rehearse the deploy",
            view=view_of(context),
            results=found,
            payload={"release": release.id, **({"predict": True} if predicts else {})},
            primary=not found.document,
        )
        if found.running:
            show_job(found.running.id, key="rehearse", live=False)
        if found.ended is None and found.running:
            return
        if found.ended is None:
            not_yet("This release has not been rehearsed on this target.", "Rehearse it before you deploy.")
        elif found.document.get("content_hash") not in (None, release.content_hash):
            not_yet("The last rehearsal was of other content.", "The release has changed since; rehearse it again.")
        else:
            ended = found.ended.finished
            rehearsals.rehearsal_result(found.document, times.age_at(ended, context.now) if ended else "")


@st.fragment(run_every=1)
def deploy() -> None:
    with problems_shown():
        context = current()
        view = view_of(context)
        if view is None:
            not_yet("A deploy belongs to a run.", "Start one on the overview: its checklist is what opens the deploy.")
            page_link(context, "/", "Overview")
            return
        deploys.deploy_panel(context, view)


part = choose_part("part", {name: name for name in PARTS}, PARTS[0])
if part == "Scripts":
    scripts_panel(release_of(current()))
elif part == "Deploy":
    deploy()
else:
    rehearsal()

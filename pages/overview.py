"""Overview: where the release stands, what blocks it, how good the app is, and the one next thing to do."""

import streamlit as st

from dashboard.components import times
from dashboard.components.problem import problems_shown
from dashboard.components.progress import show_job
from dashboard.context import current
from dashboard.panels import score as score_panels
from dashboard.panels import standing
from dashboard.results import results_of
from dashboard.runs import app_of, releases_of, view_of
from services.jobs.queue import recent_jobs
from services.releases.overview import overview


@st.fragment(run_every=2)
def live() -> None:
    with problems_shown():
        context = current()
        view = view_of(context)
        score = results_of(context, "score", run=False)
        age = (
            f"Measured {times.age(score.ended.finished, context.now)}." if score.ended and score.ended.finished else ""
        )
        links = app_of(context).links_for(context.target)
        if view is None:
            standing.start_panel(context, releases_of(context))
            score_panels.score_panel(score.document, age, links)
            return
        shown = overview(view, recent_jobs(context.store, context.target.name))
        standing.next_panel(context, view, shown)
        standing.figures(view, shown, dict(score.document), age or "It has not been run here.")
        left, right = st.columns([2, 3], gap="large")
        with left:
            standing.blockers_panel(context, view, shown)
        with right:
            running = next((step.job for step in view.steps if step.job and step.job.active), None)
            if running:
                show_job(running.id, key="overview", compact=True, live=False)
            score_panels.score_panel(score.document, age, links)


live()

"""Checklist: the phases, their gates, and every step with its state, its evidence and what can be done about it."""

import streamlit as st

from dashboard.components.empty import not_yet
from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.links import page_link
from dashboard.panels import steps
from dashboard.runs import app_of, view_of
from services.releases.gate import current_phase


@st.fragment(run_every=2)
def live() -> None:
    with problems_shown():
        context = current()
        view = view_of(context)
        if view is None:
            not_yet("No run has been started on this target.", "Start one on the overview; its checklist appears here.")
            page_link(context, "/", "Overview")
            return
        phase = steps.phase_choice(view, current_phase(view))
        steps.gate_line(view, phase)
        links = app_of(context).links_for(context.target)
        for step in phase.steps:
            steps.step_row(context, view, step, links)


live()

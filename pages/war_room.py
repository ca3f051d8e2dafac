"""War room: all services at a glance with the age of what was seen, the likeliest causes, and the handles."""

import streamlit as st

from dashboard.components import times
from dashboard.components.empty import not_yet
from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.panels import watch
from dashboard.panels.breaking import break_panel
from dashboard.panels.incidents import incident_panel
from dashboard.reads import faults_now
from dashboard.results import results_of
from dashboard.runs import app_of
from services.jobs.watch import show_interest, watched_checks
from services.releases.ledger import newest_evidence


@st.fragment(run_every=2)
def services() -> None:
    with problems_shown():
        context = current()
        app = app_of(context)
        show_interest(context.store, context.target.name, "war-room", context.now)
        seen = newest_evidence(context.store, context.target.name, watched_checks(app))
        watch.service_tiles(app, seen, context.now)
        watch.handles(context)
        watch.running_jobs(context)
        links = app.links_for(context.target)
        details = st.expander("Every check that is watched", key="watched", on_change="rerun")
        if details.open:
            with details:
                watch.check_lines(app, seen, context.now, links)


@st.fragment(run_every=2)
def causes() -> None:
    with problems_shown():
        context = current()
        st.subheader("Diagnosis", anchor=False)
        found = results_of(context, "diagnose", run=False)
        if found.ended is None or found.ended.finished is None:
            not_yet("Nobody has asked for a diagnosis.", "Diagnose looks at all evidence and ranks the causes.")
            return
        age = times.age(found.ended.finished, context.now)
        watch.diagnosis(context, found.document, age, app_of(context).links_for(context.target))


@st.fragment(run_every=5)
def incident() -> None:
    with problems_shown():
        st.subheader("Incident", anchor=False)
        incident_panel(current())


@st.fragment(run_every=2)
def breaking() -> None:
    with problems_shown():
        context = current()
        panel = st.expander("Break something", key="break", icon=":material/bolt:", on_change="rerun")
        if panel.open:
            with panel:
                break_panel(context, faults_now(context))


services()
left, right = st.columns([3, 2], gap="large")
with left:
    causes()
with right:
    incident()
with problems_shown():
    if current().target.fault_control_url is not None:
        breaking()

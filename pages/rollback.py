"""Rollback: the ordered way back, what it would take along, and what it does not bring back."""

import streamlit as st

from dashboard.components.empty import not_yet
from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.links import page_link
from dashboard.panels import backout
from dashboard.panels.backups import backups_part
from dashboard.panels.kept import kept_part
from dashboard.results import results_of
from dashboard.runs import view_of


@st.fragment(run_every=1)
def live() -> None:
    with problems_shown():
        context = current()
        view = view_of(context)
        if view is None:
            not_yet("There is nothing to take back: no run has been started on this target.", "")
            page_link(context, "/", "Overview")
            kept_part(context)
            backups_part(context)
            return
        backed_out = results_of(context, "back_out_app")
        with st.container(border=True):
            backout.step_app(context, view, backed_out)
        with st.container(border=True):
            app_is_back = backout.step_routes(context, backed_out)
        with st.container(border=True):
            backout.step_look(context, backed_out, app_is_back=app_is_back)
        with st.container(border=True):
            st.subheader("4 · The database, only if you choose to", anchor=False)
            st.caption("Refused while a build that needs the new schema serves.")
            rolled_back = results_of(context, "rollback")
            wanted = st.toggle("Show what would go", key="losses", bind="query-params")
            if rolled_back.running:
                st.caption("A rollback is running; what would go is read again when it has ended.")
            elif wanted:
                backout.what_would_go(context, view, rolled_back)
            else:
                st.caption("The button to roll back stands below the list of what would go.")
            backout.rollback_result(context, rolled_back)
        kept_part(context)
        backups_part(context)


live()

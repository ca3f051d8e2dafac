"""Verification: queries that must return no row, run on the target itself."""

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.empty import not_yet
from dashboard.components.plain import plain
from dashboard.components.problem import problems_shown
from dashboard.components.progress import show_job
from dashboard.context import current
from dashboard.panels.queries import query_list
from dashboard.panels.release_steps import set_going_button
from dashboard.results import results_of
from dashboard.runs import release_of, view_of


@st.fragment(run_every=2)
def live() -> None:
    with problems_shown():
        context = current()
        release, found = release_of(context), results_of(context, "verify", run=False)
        st.caption("Zero rows mean healthy. A query that cannot run is unknown, and unknown is not healthy.")
        with st.container(horizontal=True, vertical_alignment="center"):
            set_going_button(
                context,
                "verify",
                "Run the verification",
                view=view_of(context),
                results=found,
                payload={"release": release.id},
                primary=not found.document,
            )
            only_bad = st.toggle("Only what is wrong", key="only_bad", bind="query-params")
        if found.running:
            show_job(found.running.id, key="verify", compact=True, live=False)
        if found.ended is None or found.ended.finished is None:
            not_yet("The verification has not been run on this target.", "Before the release, it is expected to fail.")
            return
        st.markdown(
            f"{inline_badge(str(found.ended.state))} {plain(found.document.get('summary', ''), limit=900)} "
            f":small[:gray[{plain(times.age(found.ended.finished, context.now))}]]"
        )
        query_list(found.document.get("queries") or [], release, only_bad=only_bad)


live()

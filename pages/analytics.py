"""Analytics: what the release's users do and cost, as numbers with a definition and a state each."""

import streamlit as st

from dashboard.components import times
from dashboard.components.empty import not_yet
from dashboard.components.plain import plain
from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.panels import numbers
from dashboard.reads import analytics_now
from dashboard.runs import app_of
from services.jobs.queue import JobState, recent_jobs


@st.fragment(run_every=30)
def live() -> None:
    with problems_shown():
        context = current()
        definition = app_of(context).analytics
        if not definition.views:
            not_yet("This app names no views to read.", "They stand in its app.yaml.")
            return
        found = analytics_now(context, definition)
        st.caption(plain(f"Read {times.age(found.read_at, context.now)} from the views of {context.target.name}."))
        missing = numbers.all_missing(found)
        if missing:
            not_yet("There is no number to show yet.", " ".join(missing))
            return
        numbers.contradictions(found.contradictions)
        # What counts the same thing a second time has no tile of its own: it shows where the two disagree.
        second = {pair.second for pair in definition.agreements}
        numbers.metric_tiles([one for one in found.metrics if one.id not in second])
        deploys = recent_jobs(context.store, context.target.name, kind="deploy")
        marks = {job.finished: "deploy" for job in deploys if job.finished and job.state is JobState.PASSED}
        for pair in zip(found.charts[::2], [*found.charts[1::2], None], strict=False):
            for column, chart in zip(st.columns(2, gap="medium"), pair, strict=True):
                if chart is not None:
                    with column.container(border=True, height="stretch"):
                        numbers.chart_panel(chart, marks)
        for table in found.tables:
            numbers.view_table(table)


live()

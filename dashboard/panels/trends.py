"""What checks measured over time: quality of answers by release, and the system before and after the release."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.components import times
from dashboard.components.empty import not_yet
from dashboard.components.plain import plain, strong
from dashboard.components.tables import table
from dashboard.context import PageContext
from dashboard.runs import app_of
from services.checks.of_app import catalogue_of
from services.checks.registry import CheckSpec
from services.checks.trends import Change, Point, before_and_after, points
from services.jobs.queue import events, recent_jobs
from services.releases.ledger import evidence_history

CHART_HEIGHT = 260
AROUND_A_DEPLOY = {
    "check": "Check",
    "number": "Number",
    "before": "Before",
    "after": "After",
    "change": "Change",
    "seen": "Seen",
}
NEWEST_ONLY = {"check": "Check", "number": "Number", "after": "Now", "seen": "Seen"}
MANY = 2
"""From so many looks on a line is drawn; a single look is only a number."""


def trends_part(context: PageContext) -> None:
    """Every check whose numbers are kept: compared around the last deploy, and drawn where there are several looks."""
    kept = [spec for spec in catalogue_of(app_of(context)) if spec.trend]
    seen = {spec.id: points(evidence_history(context.store, context.target.name, spec.id), spec.trend) for spec in kept}
    st.caption("Each number is what a check saw at that moment. Nothing is filled in between two looks.")
    if not any(seen.values()):
        not_yet("Nothing has been measured on this target.", "The production test and the week's steps measure it.")
        return
    deployed = _last_deploy(context)
    _comparison(context, kept, seen, deployed)
    for spec in kept:
        if len(seen[spec.id]) >= MANY:
            _chart(spec, seen[spec.id], deployed)


def _last_deploy(context: PageContext) -> datetime | None:
    """When the newest deploy that is in came in; looked at again later, its job has ended later."""
    for job in recent_jobs(context.store, context.target.name, kind="deploy"):
        if job.in_effect:
            story = events(context.store, job.id, limit=100_000)
            return next((event.at for event in story if event.kind == "applied"), job.finished)
    return None


def _comparison(
    context: PageContext, kept: Sequence[CheckSpec], seen: dict[str, tuple[Point, ...]], deployed: datetime | None
) -> None:
    """Before beside after. Without a deploy of ours there is no before: then the newest number stands alone."""
    st.markdown("#### Before and after the release")
    if deployed is None:
        st.markdown(
            ":gray[No deploy through this cockpit is recorded here, so there is no before: these are the newest.]"
        )
    else:
        st.markdown(f":small[:gray[Deployed {plain(times.age(deployed, context.now))}.]]")
    moment = deployed or datetime.min.replace(tzinfo=context.now.tzinfo)
    rows = [
        _told(spec, change, context.now)
        for spec in kept
        for change in before_and_after(seen[spec.id], spec.trend, moment)
        if change.before is not None or change.after is not None
    ]
    table(
        rows,
        name="before-and-after",
        empty="No number was seen.",
        columns=AROUND_A_DEPLOY if deployed else NEWEST_ONLY,
    )


def _told(spec: CheckSpec, change: Change, now: datetime) -> dict[str, Any]:
    share = change.share
    newest = change.after_at or change.before_at
    return {
        "check": spec.title,
        "number": change.name.replace("_", " "),
        "before": "not measured" if change.before is None else _number(change.before),
        "after": "not measured" if change.after is None else _number(change.after),
        "change": "" if share is None else f"{share:+.0%}",
        "seen": times.age(newest, now) if newest else "",
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


def _chart(spec: CheckSpec, seen: tuple[Point, ...], deployed: datetime | None) -> None:
    st.markdown(f"#### {plain(spec.title)}")
    st.caption(plain(spec.proves))
    drawn, listed = st.tabs(["Chart", "Table"])
    with drawn:
        st.plotly_chart(
            figure_of(spec.trend, seen, deployed), key=f"trend-{spec.id}", alt=spec.title, config={"displaylogo": False}
        )
    with listed:
        rows = [
            {"at": point.at.isoformat(timespec="seconds"), "release": point.release or "", **dict(point.values)}
            for point in seen
        ]
        table(rows, name=f"trend-{spec.id}", empty="No look.")
    releases = list(dict.fromkeys(point.release for point in seen if point.release))
    if releases:
        st.markdown(f":small[:gray[Releases: {strong(', '.join(releases))}]]")


def figure_of(names: Sequence[str], seen: Sequence[Point], deployed: datetime | None) -> go.Figure:
    """One line a number, a point a look; the deploy as a vertical line. Colours come from the theme."""
    figure = go.Figure()
    for name in names:
        told = [(point.at, point.values[name], point.release or "") for point in seen if name in point.values]
        if told:
            at, values, releases = zip(*told, strict=True)
            figure.add_scatter(
                x=list(at),
                y=list(values),
                text=list(releases),
                name=name.replace("_", " "),
                mode="lines+markers",
                hovertemplate="%{y:.3g} %{text}<extra></extra>",
            )
    if deployed is not None and seen and seen[0].at <= deployed <= seen[-1].at:
        figure.add_vline(x=deployed.timestamp() * 1000, line_dash="dot", annotation_text="deploy")
    figure.update_layout(
        height=CHART_HEIGHT,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": None},
        hovermode="x unified",
    )
    return figure

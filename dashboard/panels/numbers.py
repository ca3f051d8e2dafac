"""The app's numbers: tiles that say what kind of nothing a nothing is, charts with the release marked, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.components.badges import inline_badge
from dashboard.components.plain import plain, strong
from dashboard.components.tables import table
from services.analytics.metrics import Analytics, Chart, Metric, NumberState, Table

NUMBERS = frozenset({NumberState.VALUE, NumberState.ZERO, NumberState.TRUNCATED, NumberState.STALE})
FORMATS = {
    "usd": "dollar",
    "percent": "%.1f %%",
    "share": "percent",
    "ms": "%.0f ms",
    "score": "%.2f",
    "count": "localized",
}


def formatted(value: float, unit: str) -> str:
    """A number as people read it, with its unit."""
    if unit == "usd":
        return f"${value:,.2f}" if abs(value) >= 1 or value == 0 else f"${value:,.4f}"
    if unit == "share":
        return f"{value:.0%}"
    if unit == "percent":
        return f"{value:.1f} %"
    if unit == "ms":
        return f"{value:,.0f} ms"
    if unit == "count":
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{value:,.2f}"


def all_missing(found: Analytics) -> list[str]:
    """Why there is not one number, each reason once; empty where there is at least one."""
    parts: list[Metric | Chart | Table] = [*found.metrics, *found.charts, *found.tables]
    if any(part.state in NUMBERS for part in parts):
        return []
    return list(dict.fromkeys(f"{part.state.value.capitalize()}: {part.note}" for part in parts))


def metric_tiles(metrics: Sequence[Metric]) -> None:
    """One tile a number; where there is no number, the word that says why."""
    with st.grid(4, min_column_width=200, gap="small"):
        for metric in metrics:
            with st.container(border=True, height="stretch", gap="xsmall", key=f"metric-{metric.id}"):
                shown = metric.value is not None and metric.state in NUMBERS
                value = formatted(metric.value, metric.unit) if shown and metric.value is not None else "–"
                st.metric(plain(metric.title), value, help=plain(metric.definition, limit=900))
                aside = f"{metric.rows} row{'' if metric.rows == 1 else 's'}" if shown else ""
                state = (
                    "" if metric.state in (NumberState.VALUE, NumberState.ZERO) else inline_badge(metric.state.value)
                )
                st.markdown(f"{state} :small[:gray[{plain(metric.note or aside)}]]")


def contradictions(sentences: Sequence[str]) -> None:
    """Two sources that do not agree are shown as that, and neither is preferred."""
    for sentence in sentences:
        st.warning(f"{strong('Two sources disagree.')} {plain(sentence, limit=900)}", icon=":material/report:")


def chart_panel(chart: Chart, releases: Mapping[datetime, str]) -> None:
    """A chart with gaps where there is no number, and a line where a release was deployed."""
    st.markdown(strong(chart.title))
    if chart.state not in NUMBERS or not chart.x:
        st.markdown(f"{inline_badge(chart.state.value)} {plain(chart.note, limit=600)}")
        return
    figure = go.Figure()
    for name, values in chart.y.items():
        title = chart.titles.get(name, name)
        if chart.kind == "bar":
            figure.add_bar(x=list(chart.x), y=list(values), name=title)
        else:
            figure.add_scatter(x=list(chart.x), y=list(values), name=title, mode="lines+markers", connectgaps=False)
    if chart.x and isinstance(chart.x[0], date | datetime):
        _mark(figure, chart.x, releases)
    units = sorted(set(chart.units.values()))
    figure.update_layout(
        height=260,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.2},
        yaxis={"title": ", ".join(units), "rangemode": "tozero"},
        showlegend=len(chart.y) > 1,
    )
    st.plotly_chart(figure, key=f"chart-{chart.id}", config={"displaylogo": False}, alt=chart.title)
    if chart.note:
        st.caption(plain(chart.note))


def _mark(figure: go.Figure, days: Sequence[Any], releases: Mapping[datetime, str]) -> None:
    first, last = min(days), max(days)
    for moment, name in releases.items():
        at: Any = moment if isinstance(first, datetime) else moment.date()
        if first <= at <= last:
            figure.add_vline(x=at.isoformat(), line_dash="dot", line_width=1)
            figure.add_annotation(x=at.isoformat(), y=1, yref="paper", text=name, showarrow=False, xanchor="left")


def view_table(shown: Table) -> None:
    """A view's rows with their definition and a CSV; groups that are too small were left out below the page."""
    st.markdown(strong(shown.title), help=plain(shown.definition, limit=900))
    if shown.state is not NumberState.VALUE:
        st.markdown(f"{inline_badge(shown.state.value)} {plain(shown.note, limit=600)}")
    if not shown.rows and shown.state is not NumberState.VALUE:
        return
    config = {
        title: st.column_config.NumberColumn(format=FORMATS[unit])
        for title, unit in shown.columns.values()
        if unit in FORMATS
    }
    table(
        shown.rows,
        name=shown.id,
        empty="There is no row to show.",
        columns={name: title for name, (title, _unit) in shown.columns.items()},
        config=config,
        height=360 if len(shown.rows) > 10 else None,
    )
    if shown.hidden:
        st.caption(plain(f"{shown.hidden} rows about fewer than five people are left out, here and in the CSV."))

"""The app's numbers: tiles that say what kind of nothing a nothing is, charts with the release marked, tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from math import floor, log10
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.components.badges import inline_badge
from dashboard.components.plain import plain, strong
from dashboard.components.tables import table
from services.analytics.metrics import Analytics, Chart, Metric, NumberState, Table

NUMBERS = frozenset({NumberState.VALUE, NumberState.ZERO, NumberState.TRUNCATED, NumberState.STALE})
UNREMARKABLE = frozenset({NumberState.VALUE, NumberState.ZERO})
FORMATS = {"percent": "%.1f %%", "share": "percent", "ms": "%.0f ms", "score": "%.2f"}
AXES = {"usd": "US dollars", "ms": "ms", "percent": "percent", "share": "share", "score": "0 to 1"}
CHART_HEIGHT = 300
FEW_BARS = 5
"""Up to so many categories a chart's bars are kept narrow: two of them would fill it."""


def formatted(value: float, unit: str) -> str:
    """A number as people read it, with its unit."""
    if unit == "usd":
        return f"${value:,.2f}" if abs(value) >= 1 or value == 0 else f"${value:,.4f}"
    if unit == "share":
        return f"{value:.0%}" if value >= 0.1 or value == 0 else f"{value:.1%}"
    if unit == "percent":
        return f"{value:.1f} %"
    if unit == "ms":
        return f"{value:,.0f} ms"
    if unit == "count":
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{value:,.2f}"


def cents(values: Iterable[float | None]) -> int:
    """How many decimals amounts of money need beside each other: two, or so many that the largest has two digits."""
    top = max((abs(value) for value in values if value), default=1.0)
    return max(2, 1 - floor(log10(top)))


def all_missing(found: Analytics) -> list[str]:
    """Why there is not one number, each reason once; empty where there is at least one."""
    parts: list[Metric | Chart | Table] = [*found.metrics, *found.charts, *found.tables]
    if any(part.state in NUMBERS for part in parts):
        return []
    return list(dict.fromkeys(f"{part.state.value.capitalize()}: {part.note}" for part in parts))


def metric_tiles(metrics: Sequence[Metric]) -> None:
    """One tile a number; where there is no number, the word that says why."""
    with st.grid(4, min_column_width=150, gap="small"):
        for metric in metrics:
            with st.container(border=True, height="stretch", gap="xsmall", key=f"metric-{metric.id}"):
                shown = metric.value is not None and metric.state in NUMBERS
                value = formatted(metric.value, metric.unit) if shown and metric.value is not None else "–"
                st.metric(plain(metric.title), value, help=plain(metric.definition, limit=900))
                aside = f"{metric.source}: {metric.rows} row{'' if metric.rows == 1 else 's'}" if shown else ""
                st.markdown(f"{_remark(metric.state)} :small[:gray[{plain(metric.note or aside)}]]")


def contradictions(sentences: Sequence[str]) -> None:
    """Two sources that do not agree are shown as that, and neither is preferred."""
    for sentence in sentences:
        st.warning(f"{strong('Two sources disagree.')} {plain(sentence, limit=900)}", icon=":material/report:")


def chart_panel(chart: Chart, releases: Mapping[datetime, str]) -> None:
    """A chart with gaps where there is no number, a line where a release was deployed, and its points as a table."""
    st.markdown(strong(chart.title))
    if chart.state not in NUMBERS or not chart.x:
        state = NumberState.NO_DATA if chart.state in NUMBERS else chart.state
        st.markdown(f"{inline_badge(state.value)} {plain(chart.note, limit=600)}")
        return
    drawn, listed = st.tabs(["Chart", "Table"])
    with drawn:
        config = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
        st.plotly_chart(figure_of(chart, releases), key=f"chart-{chart.id}", config=config, alt=chart.title)
    with listed:
        rows = [
            {chart.x_name: x, **{name: values[row] for name, values in chart.y.items()}}
            for row, x in enumerate(chart.x)
        ]
        units = {title: (chart.titles[title], chart.units.get(title, "text")) for title in rows[0]}
        _numbers_table(rows, units, name=chart.id, export=chart.export, height=CHART_HEIGHT)
    if chart.note:
        st.markdown(f"{_remark(chart.state)} :small[:gray[{plain(chart.note, limit=600)}]]")


def figure_of(chart: Chart, releases: Mapping[datetime, str]) -> go.Figure:
    """The chart as Plotly draws it; colours come from the theme."""
    figure = go.Figure()
    over_time = isinstance(chart.x[0], date | datetime)
    x = list(chart.x) if over_time else [str(value).replace("_", " ") for value in chart.x]
    for name, values in chart.y.items():
        title, (prefix, number, suffix) = chart.titles[name], _number_format(chart, name)
        hover = f"{title}: {prefix}%{{y:{number}}}{suffix}<extra></extra>"
        if chart.kind == "bar":
            figure.add_bar(x=x, y=list(values), name=title, hovertemplate=hover)
        else:
            figure.add_scatter(
                x=x, y=list(values), name=title, hovertemplate=hover, mode="lines+markers", connectgaps=False
            )
    if over_time:
        _mark(figure, chart.x, releases)
        figure.update_xaxes(tickformat="%-d %b", hoverformat="%a %-d %b %Y", nticks=8)
    prefix, number, _suffix = _number_format(chart, next(iter(chart.y)))
    figure.update_layout(
        height=CHART_HEIGHT,
        margin={"l": 8, "r": 8, "t": 36 if len(chart.y) > 1 else 12, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": None},
        showlegend=len(chart.y) > 1,
        hovermode="x unified",
        bargap=0.2 if over_time else 0.65 if len(chart.x) <= FEW_BARS and len(chart.y) == 1 else 0.45,
        xaxis={"title": chart.titles[chart.x_name], "automargin": True},
        yaxis={
            "title": _axis_title(chart),
            "rangemode": "tozero",
            "automargin": True,
            "tickprefix": prefix,
            "tickformat": number,
        },
    )
    return figure


def _axis_title(chart: Chart) -> str:
    units = sorted({AXES[unit] for unit in chart.units.values() if unit in AXES})
    titles = [chart.titles[name] for name in chart.y]
    if len(titles) == 1:
        return f"{titles[0]} ({units[0]})" if units else titles[0]
    return ", ".join(units).capitalize() or "Number"


def _number_format(chart: Chart, name: str) -> tuple[str, str, str]:
    """What stands before a number, Plotly's format of it, and what stands after it."""
    formats = {
        "usd": ("$", f",.{cents(chart.y[name])}f", ""),
        "ms": ("", ",.0f", " ms"),
        "percent": ("", ".1f", " %"),
        "share": ("", ".0%", ""),
        "score": ("", ".2f", ""),
    }
    return formats.get(chart.units[name], ("", ",~f", ""))


def _mark(figure: go.Figure, days: Sequence[Any], releases: Mapping[datetime, str]) -> None:
    first, last = min(days), max(days)
    for moment, name in releases.items():
        at: Any = moment if isinstance(first, datetime) else moment.date()
        if first <= at <= last:
            figure.add_vline(x=at.isoformat(), line_dash="dot", line_width=1)
            figure.add_annotation(x=at.isoformat(), y=1, yref="paper", text=name, showarrow=False, xanchor="left")


def view_table(shown: Table) -> None:
    """A view's rows with their definition and a CSV; groups that are too small are left out of both."""
    st.markdown(strong(shown.title), help=plain(shown.definition, limit=900))
    if shown.note or shown.state not in UNREMARKABLE:
        st.markdown(f"{_remark(shown.state)} :small[:gray[{plain(shown.note, limit=600)}]]")
    if shown.rows or shown.state in UNREMARKABLE:
        _numbers_table(
            shown.rows, shown.columns, name=shown.id, export=shown.export, export_columns=shown.export_columns
        )


def _numbers_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, tuple[str, str]],
    *,
    name: str,
    export: Sequence[Mapping[str, Any]],
    export_columns: Mapping[str, tuple[str, str]] | None = None,
    height: int | None = None,
) -> None:
    """The rows as a table; its CSV holds no group of fewer than five people, whoever looks."""
    config = {
        title: format_
        for key, (title, unit) in columns.items()
        if (format_ := _column_format(unit, [row[key] for row in rows])) is not None
    }
    if len(export) != len(rows):
        st.caption("The CSV holds groups of five people and more only.")
    table(
        rows,
        name=name,
        empty="There is no row to show.",
        columns=_headings(columns),
        config=config,
        height=height if height and len(rows) > FEW_BARS else None,
        exported=export,
        exported_columns=_headings(export_columns or columns),
    )


def _headings(columns: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return {key: title for key, (title, _unit) in columns.items()}


def _column_format(unit: str, values: Sequence[Any]) -> Any:
    if unit == "usd":
        return st.column_config.NumberColumn(format=f"$%.{cents(values)}f")
    if unit == "count":
        whole = all(value is None or float(value).is_integer() for value in values)
        return st.column_config.NumberColumn(format="localized" if whole else "%.1f")
    if unit == "time":
        return st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", timezone="UTC", help="UTC")
    return st.column_config.NumberColumn(format=FORMATS[unit]) if unit in FORMATS else None


def _remark(state: NumberState) -> str:
    """A badge for a state that is not simply a number."""
    return "" if state in UNREMARKABLE else inline_badge(state.value)

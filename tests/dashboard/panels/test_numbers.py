"""Numbers as people read them: money, shares, axes with their units, the release on the time axis."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from typing import Any

import pytest

from dashboard.composition import ROOT
from dashboard.panels.numbers import cents, figure_of, formatted
from services.analytics.metrics import Chart, NumberState

DAYS = (date(2026, 3, 8), date(2026, 3, 9), date(2026, 3, 10))


def chart(unit: str = "count", kind: str = "bar", **changes: Any) -> Chart:
    values: dict[str, Any] = {
        "id": "c",
        "title": "Calls",
        "kind": kind,
        "x_name": "day",
        "x": DAYS,
        "y": {"calls": (1.0, None, 3.0)},
        "titles": {"day": "Day (UTC)", "calls": "Calls", "errors": "Errors"},
        "units": {"calls": unit, "errors": unit},
        "state": NumberState.VALUE,
        "note": "",
        "export": (),
    }
    return Chart(**{**values, **changes})


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1234.5, "usd", "$1,234.50"),
        (0.0175, "usd", "$0.0175"),
        (0.0, "usd", "$0.00"),
        (0.0108, "share", "1.1%"),
        (0.784, "share", "78%"),
        (926.4, "ms", "926 ms"),
        (1278, "count", "1,278"),
        (0.871, "score", "0.87"),
    ],
)
def test_a_number_is_shown_with_its_unit(value: float, unit: str, shown: str) -> None:
    assert formatted(value, unit) == shown


@pytest.mark.parametrize(("amounts", "decimals"), [((12.5,), 2), ((0.5, None), 2), ((0.0018, 0.0005), 4), ((), 2)])
def test_small_amounts_of_money_are_not_rounded_to_nothing(amounts: tuple[float | None, ...], decimals: int) -> None:
    assert cents(amounts) == decimals


def test_axes_say_what_they_measure_and_in_which_unit() -> None:
    drawn = figure_of(chart("ms"), {}).to_dict()["layout"]
    assert drawn["xaxis"]["title"]["text"] == "Day (UTC)"
    assert drawn["yaxis"]["title"]["text"] == "Calls (ms)"
    assert figure_of(chart("usd"), {}).to_dict()["layout"]["yaxis"]["tickprefix"] == "$"


def test_a_tooltip_names_the_number_and_its_unit() -> None:
    assert figure_of(chart("ms"), {}).data[0].hovertemplate == "Calls: %{y:,.0f} ms<extra></extra>"


def test_a_gap_stays_a_gap() -> None:
    line = figure_of(chart(kind="line"), {}).data[0]
    assert (list(line.y), line.connectgaps) == ([1.0, None, 3.0], False)


def test_there_is_a_legend_only_where_there_is_something_to_tell_apart() -> None:
    two = chart(y={"calls": (1.0, 2.0, 3.0), "errors": (0.0, 0.0, 1.0)})
    assert not figure_of(chart(), {}).layout.showlegend
    assert figure_of(two, {}).layout.showlegend


def test_a_release_is_marked_on_its_day_and_only_within_the_chart() -> None:
    inside, outside = datetime(2026, 3, 9, 14, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    drawn = figure_of(chart(), {inside: "deploy", outside: "earlier"})
    assert [(line.x0, mark.text) for line, mark in zip(drawn.layout.shapes, drawn.layout.annotations, strict=True)] == [
        ("2026-03-09", "deploy")
    ]


def test_categories_are_words_and_bear_no_release() -> None:
    drawn = figure_of(chart(x=("thumbs_up", "report", "detailed")), {datetime(2026, 3, 9, tzinfo=UTC): "deploy"})
    assert list(drawn.data[0].x) == ["thumbs up", "report", "detailed"]
    assert drawn.layout.shapes == ()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_theme_has_all_the_colours_that_a_chart_asks_for(mode: str) -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][mode]
    # One missing makes Plotly drop the whole list.
    assert len(theme["chartCategoricalColors"]) >= 10

"""What an app wants measured, as data: its views, the numbers and charts made of them, each with its definition."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Unit = Literal["count", "usd", "share", "percent", "ms", "score", "day", "time", "text"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Frozen):
    title: str
    unit: Unit = "count"
    definition: str = ""


class View(_Frozen):
    """A view in the app's database.

    order_by: the column by which the newest or largest rows come first
    day:        its column of days, where it has one; by that its age is judged
    people:     the column that says how many people a row is about; rows of fewer than five are hidden below admin
    person:     the column that names one person; such rows are shown to admins only, others see them by `group_by`
    """

    name: str
    title: str
    definition: str
    order_by: str
    day: str | None = None
    people: str | None = None
    person: str | None = None
    group_by: str | None = None
    columns: dict[str, Column]


class MetricDefinition(_Frozen):
    """A number made of one view's rows.

    take: sum; ratio = sum(column) / sum(of); mean = sum(column x of) / sum(of), over rows that have both;
    positive = the number of rows with more than 0
    """

    id: str
    title: str
    definition: str
    unit: Unit
    view: str
    column: str
    take: Literal["sum", "ratio", "mean", "positive"]
    of: str | None = None


class ChartDefinition(_Frozen):
    """A chart over one view: x and one or more columns as y."""

    id: str
    title: str
    view: str
    kind: Literal["bar", "line"]
    x: str
    y: tuple[str, ...]


class Agreement(_Frozen):
    """Two metrics that must be equal, since they count the same thing in two places."""

    first: str
    second: str
    tolerance: float = 0.0


class AnalyticsDefinition(_Frozen):
    """Everything of the analytics page that is the app's."""

    views: tuple[View, ...] = ()
    metrics: tuple[MetricDefinition, ...] = ()
    charts: tuple[ChartDefinition, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    row_cap: int = Field(default=2000, gt=0)
    stale_after_days: int = 2

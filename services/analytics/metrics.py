"""The app's own numbers, read from its views: each with its definition, and what kind of nothing a nothing is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from services.analytics.definition import AnalyticsDefinition, ChartDefinition, Column, MetricDefinition, View
from services.database.connect import connect
from services.database.row_security import hides_rows
from services.errors import Unavailable

if TYPE_CHECKING:
    import pandas as pd

DEADLINE_S = 3.0
SMALL_GROUP = 5


class NumberState(StrEnum):
    """What a number is. Only `value` and `zero` are numbers; unpriced or unseen is never 0."""

    VALUE = "value"
    ZERO = "zero"
    NO_DATA = "no data yet"
    NOT_MEASURED = "not measured"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class ViewRead:
    """A view's rows as a frame. state: `value` where there are rows; note: why it is not, or what limits it."""

    view: View
    frame: pd.DataFrame
    state: NumberState
    note: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number with its meaning. rows: how many rows of `source` it is made of; value None: there is no number."""

    id: str
    title: str
    definition: str
    unit: str
    value: float | None
    state: NumberState
    note: str
    rows: int
    source: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows ready to be shown.

    hidden: rows of fewer than five people that were left out.

    export: the rows as they may leave the page: without small groups and single people, for admins too.
    """

    id: str
    title: str
    definition: str
    columns: Mapping[str, tuple[str, str]]
    rows: tuple[Mapping[str, Any], ...]
    state: NumberState
    note: str
    hidden: int
    export_columns: Mapping[str, tuple[str, str]]
    export: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Points ready to be drawn.

    y holds None where a row has no number, never 0. titles: of x and each y.

    export: its points as they may leave the page: without small groups, for admins too.
    """

    id: str
    title: str
    kind: str
    x_name: str
    x: tuple[Any, ...]
    y: Mapping[str, tuple[float | None, ...]]
    titles: Mapping[str, str]
    units: Mapping[str, str]
    state: NumberState
    note: str
    export: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Analytics:
    """All of the page. contradictions: sentences about sources that do not agree."""

    read_at: datetime
    metrics: tuple[Metric, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]
    contradictions: tuple[str, ...]


def read_analytics(
    url: str, definition: AnalyticsDefinition, now: datetime, *, is_admin: bool, deadline_s: float = DEADLINE_S
) -> Analytics:
    """Read every view and make the page's data of it.

    is_admin: sees rows about single people and about fewer than five; others do not.
    Raises as `connect` does, and Unavailable where a view does not answer in time.
    """
    reads = read_views(url, definition, now, deadline_s=deadline_s)
    metrics = {one.id: _metric(one, reads[one.view], is_admin) for one in definition.metrics}
    return Analytics(
        read_at=now,
        metrics=tuple(metrics.values()),
        tables=tuple(_table(read, is_admin) for read in reads.values()),
        charts=tuple(_chart(one, reads[one.view], is_admin) for one in definition.charts),
        contradictions=tuple(_contradictions(definition, reads)),
    )


def read_views(
    url: str, definition: AnalyticsDefinition, now: datetime, *, deadline_s: float = DEADLINE_S
) -> dict[str, ViewRead]:
    """Every view's rows, by name, through a read-only connection; deadline_s for each."""
    with connect(url, deadline_s=deadline_s, read_only=True, statement_timeout_s=deadline_s) as conn:
        return {view.name: _read(conn, view, definition, now) for view in definition.views}


def _read(conn: psycopg.Connection[Any], view: View, definition: AnalyticsDefinition, now: datetime) -> ViewRead:
    import pandas as pd

    nothing = pd.DataFrame(columns=list(view.columns))
    try:
        rows = _rows(conn, view, definition.row_cap + 1)
        if rows is None:
            note = f"{view.name} is not there: the release that makes it is not in this database."
            return ViewRead(view, nothing, NumberState.NOT_MEASURED, note)
        if _rows_are_hidden(conn, view.name):
            # A view that joins visible rows with hidden ones would give zeros that nobody counted.
            note = f"Row-level security hides rows behind {view.name} from our role."
            return ViewRead(view, nothing, NumberState.BLOCKED, note)
        if not rows:
            return ViewRead(view, nothing, NumberState.NO_DATA, "Nothing has been logged yet.")
    except psycopg.errors.InsufficientPrivilege as error:
        why = error.diag.message_primary or "permission denied"
        return ViewRead(view, nothing, NumberState.BLOCKED, f"Our role may not read {view.name}: {why}.")
    except psycopg.errors.UndefinedColumn as error:
        missing = f"{view.name} has other columns than we know ({error.diag.message_primary})."
        return ViewRead(view, nothing, NumberState.NOT_MEASURED, missing)
    except psycopg.Error as error:
        raise Unavailable(
            f"{view.name} gave no answer ({error.sqlstate or 'connection lost'}).", "Its numbers are not known."
        ) from None
    frame = pd.DataFrame(rows[: definition.row_cap], columns=list(view.columns))
    if len(rows) > definition.row_cap:
        note = f"Only the first {definition.row_cap} rows were read."
        return ViewRead(view, frame, NumberState.TRUNCATED, note)
    return _with_age(ViewRead(view, frame, NumberState.VALUE), definition.stale_after_days, now)


def _rows(conn: psycopg.Connection[Any], view: View, limit: int) -> list[dict[str, Any]] | None:
    there = conn.execute("SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (f"public.{view.name}",)).fetchone()
    if there is None or not there[0]:
        return None
    query = sql.SQL("SELECT {columns} FROM {view} ORDER BY {order} DESC NULLS LAST LIMIT {limit}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, view.columns)),
        view=sql.Identifier("public", view.name),
        order=sql.Identifier(view.order_by),
        limit=sql.Literal(limit),
    )
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        # The server's own way of writing times may be one that no driver reads.
        cursor.execute("SET LOCAL DateStyle = 'ISO'")
        return cursor.execute(query).fetchall()


def _rows_are_hidden(conn: psycopg.Connection[Any], name: str) -> bool:
    """Whether row-level security hides from us rows of a table that the view reads: its numbers then mean nothing."""
    row = conn.execute(
        "SELECT COALESCE(bool_or(" + hides_rows("d.refobjid") + "), false)"
        " FROM pg_catalog.pg_rewrite AS r JOIN pg_catalog.pg_depend AS d ON d.objid = r.oid"
        " AND d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass"
        " JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')"
        " WHERE r.ev_class = pg_catalog.to_regclass(%s)",
        (f"public.{name}",),
    ).fetchone()
    return bool(row and row[0])


def _with_age(read: ViewRead, stale_after_days: int, now: datetime) -> ViewRead:
    if read.view.day is None:
        return read
    newest = read.frame[read.view.day].max()
    days = (now.astimezone(UTC).date() - newest).days
    if days <= stale_after_days:
        return read
    return ViewRead(read.view, read.frame, NumberState.STALE, f"The newest row is of {newest}, {days} days ago.")


def _people(one: MetricDefinition, read: ViewRead) -> int | None:
    """How many people the number is about, at least; None where the view does not say."""
    if read.view.person is not None:
        # A sum over many of whom few have anything to add is about these few.
        return int((read.frame[one.of or one.column].astype(float) > 0).sum()) or len(read.frame)
    if read.view.people is None or read.frame.empty:
        return None
    return int(read.frame[read.view.people].max())


def _metric(one: MetricDefinition, read: ViewRead, is_admin: bool) -> Metric:
    value, rows = _value(one, read.frame)
    state, note = read.state, read.note
    people = _people(one, read)
    if not read.frame.empty and not is_admin and people is not None and people < SMALL_GROUP:
        value, state, note = None, NumberState.BLOCKED, f"About fewer than {SMALL_GROUP} people: shown to admins only."
    elif value is None and state is NumberState.VALUE:
        state, note = NumberState.NO_DATA, "No row has this number."
    elif value == 0 and state is NumberState.VALUE:
        state = NumberState.ZERO
    if is_admin and people is not None and 0 < people < SMALL_GROUP:
        note = f"{note} About {people} people.".strip()
    return Metric(one.id, one.title, one.definition, one.unit, value, state, note, rows, read.view.title)


def _value(one: MetricDefinition, frame: pd.DataFrame) -> tuple[float | None, int]:
    """The number and how many rows it is made of; None where no row has it."""
    needed = [one.column] if one.of is None else [one.column, one.of]
    numbers = frame[needed].astype(float).dropna()
    if numbers.empty:
        return None, 0
    column = numbers[one.column]
    if one.take == "sum":
        return float(column.sum()), len(numbers)
    if one.take == "positive":
        return float((column > 0).sum()), len(numbers)
    weights = numbers[one.of or one.column]
    if weights.sum() == 0:
        return None, len(numbers)
    over = column if one.take == "ratio" else column * weights
    return float(over.sum() / weights.sum()), len(numbers)


def _shown(read: ViewRead, is_admin: bool) -> tuple[pd.DataFrame, int]:
    """The rows this person may see, and how many were left out."""
    view, frame = read.view, read.frame
    if is_admin or frame.empty:
        return frame, 0
    if view.person is not None:
        if view.group_by is None:
            return frame.iloc[0:0], len(frame)
        frame = _grouped(view, frame)
        keep = frame["people"] >= SMALL_GROUP
    elif view.people is not None:
        keep = frame[view.people].astype(float) >= SMALL_GROUP
    else:
        return frame, 0
    return frame[keep], int((~keep).sum())


def _grouped(view: View, frame: pd.DataFrame) -> pd.DataFrame:
    summed = [name for name, column in view.columns.items() if column.unit in ("count", "usd") and name != view.person]
    numbers = frame[summed].astype(float)
    by = frame[view.group_by]
    # min_count: a group in which nothing has a price costs "not known", not 0.
    grouped = numbers.groupby(by).sum(min_count=1)
    grouped.insert(0, "people", by.groupby(by).size())
    return grouped.reset_index()


def _table(read: ViewRead, is_admin: bool) -> Table:
    frame, hidden = _shown(read, is_admin)
    columns, rows = _listed(read.view, frame)
    # What leaves the page names nobody and no small group, whoever takes it away.
    export_columns, export = (columns, rows) if not is_admin else _listed(read.view, _shown(read, False)[0])
    return Table(
        id=read.view.name,
        title=read.view.title,
        definition=read.view.definition,
        columns=columns,
        rows=rows,
        state=NumberState.BLOCKED if hidden and frame.empty else read.state,
        note=_note(read, hidden, len(frame)),
        hidden=hidden,
        export_columns=export_columns,
        export=export,
    )


def _listed(view: View, frame: pd.DataFrame) -> tuple[Mapping[str, tuple[str, str]], tuple[Mapping[str, Any], ...]]:
    """A frame as columns (title and unit by name) and rows."""
    titles = {name: (column.title, column.unit) for name, column in view.columns.items()}
    titles["people"] = titles.get("people", ("People", "count"))
    columns = {str(name): titles[str(name)] for name in frame.columns}
    return columns, tuple(_plain(row, columns) for row in frame.to_dict("records"))


def _note(read: ViewRead, hidden: int, left: int) -> str:
    """What limits these rows; hidden of them are left out, left are not."""
    if not hidden:
        return read.note
    one, many = ("group of", "groups of") if read.view.person is not None else ("row about", "rows about")
    if not left:
        told = f"There are only {many} fewer than five people ({hidden} of them): these are for admins only."
    elif hidden == 1:
        told = f"1 {one} fewer than five people is left out."
    else:
        told = f"{hidden} {many} fewer than five people are left out."
    return f"{read.note} {told}".strip()


def _chart(one: ChartDefinition, read: ViewRead, is_admin: bool) -> Chart:
    # A chart is never about single people: it shows groups, to admins too.
    frame, hidden = _shown(read, is_admin and read.view.person is None)
    usable = not frame.empty and all(name in frame.columns for name in (one.x, *one.y))
    columns = read.view.columns
    ordered = _by_x(one, frame, columns) if usable else frame.iloc[0:0]
    exported = _shown(read, False)[0]
    return Chart(
        id=one.id,
        title=one.title,
        kind=one.kind,
        x_name=one.x,
        x=tuple(ordered[one.x]) if usable else (),
        y={name: tuple(map(_float, ordered[name])) if usable else () for name in one.y},
        titles={name: columns[name].title for name in (one.x, *one.y)},
        units={name: columns[name].unit for name in one.y},
        state=read.state if usable or read.frame.empty else NumberState.BLOCKED,
        note=_note(read, hidden, len(ordered)),
        export=tuple(_points(one, _by_x(one, exported, columns))) if usable and not exported.empty else (),
    )


def _points(one: ChartDefinition, ordered: pd.DataFrame) -> Iterable[Mapping[str, Any]]:
    for row in ordered.to_dict("records"):
        yield {one.x: row[one.x], **{name: _float(row[name]) for name in one.y}}


def _by_x(one: ChartDefinition, frame: pd.DataFrame, columns: Mapping[str, Column]) -> pd.DataFrame:
    """One row per x, in order: what can be added is summed; for anything else the rows must be one per x already."""
    numbers = frame[list(one.y)].astype(float)
    if not all(columns[name].unit in ("count", "usd") for name in one.y):
        return frame.sort_values(one.x)
    return numbers.groupby(frame[one.x]).sum(min_count=1).reset_index().sort_values(one.x)


def _contradictions(definition: AnalyticsDefinition, reads: Mapping[str, ViewRead]) -> Iterable[str]:
    by_id = {one.id: one for one in definition.metrics}
    for pair in definition.agreements:
        first, second = by_id[pair.first], by_id[pair.second]
        if NumberState.TRUNCATED in (reads[first.view].state, reads[second.view].state):
            continue
        one, other = _value(first, reads[first.view].frame)[0], _value(second, reads[second.view].frame)[0]
        if one is not None and other is not None and abs(one - other) > pair.tolerance:
            yield f"{first.title} is {one:g} in {first.view} and {other:g} in {second.view}: one of them is wrong."


def _plain(row: Mapping[Any, Any], columns: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Numbers as int or float, times as datetime, and nothing (of any kind) as None."""
    import pandas as pd

    plain: dict[str, Any] = {}
    for name, value in row.items():
        if value is None or pd.isna(value):
            plain[str(name)] = None
        elif isinstance(value, pd.Timestamp):
            plain[str(name)] = value.to_pydatetime()
        elif isinstance(value, Decimal | float):
            whole = columns[str(name)][1] == "count" and float(value).is_integer()
            plain[str(name)] = int(value) if whole else float(value)
        else:
            plain[str(name)] = value
    return plain


def _float(value: Any) -> float | None:
    import pandas as pd

    return None if value is None or pd.isna(value) else float(value)

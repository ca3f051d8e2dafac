"""The app's own numbers: seven states, small groups, contradictions; over a real Postgres with made-up views."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from services.analytics.definition import (
    Agreement,
    AnalyticsDefinition,
    ChartDefinition,
    Column,
    MetricDefinition,
    View,
)
from services.analytics.metrics import Analytics, Metric, NumberState, Table, read_analytics
from services.errors import Unavailable
from tests.conftest import MakeDatabase

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAYS = View(
    name="days",
    title="Days",
    definition="One row a day.",
    order_by="day",
    day="day",
    people="people",
    columns={
        "day": Column(title="Day", unit="day"),
        "people": Column(title="People"),
        "calls": Column(title="Calls"),
        "errors": Column(title="Errors"),
        "cost": Column(title="Cost", unit="usd"),
        "speed": Column(title="Speed", unit="ms"),
    },
)
PERSONS = View(
    name="persons",
    title="Persons",
    definition="One row a person.",
    order_by="calls",
    person="who",
    group_by="tier",
    columns={
        "who": Column(title="Who", unit="text"),
        "tier": Column(title="Tier", unit="text"),
        "calls": Column(title="Calls"),
        "cost": Column(title="Cost", unit="usd"),
    },
)


def metric(name: str, column: str, take: Any = "sum", of: str | None = None, view: str = "days") -> MetricDefinition:
    return MetricDefinition(
        id=name, title=name, definition="d", unit="count", view=view, column=column, take=take, of=of
    )


DEFINITION = AnalyticsDefinition(
    views=(DAYS, PERSONS),
    metrics=(
        metric("calls", "calls"),
        metric("cost", "cost"),
        metric("errors", "errors"),
        metric("share", "errors", "ratio", "calls"),
        metric("speed", "speed", "mean", "calls"),
        metric("callers", "calls", "positive", view="persons"),
        metric("calls-by-person", "calls", view="persons"),
    ),
    charts=(
        ChartDefinition(id="by-day", title="By day", view="days", kind="bar", x="day", y=("calls", "errors")),
        ChartDefinition(id="by-tier", title="By tier", view="persons", kind="bar", x="tier", y=("calls", "cost")),
    ),
    agreements=(Agreement(first="calls", second="calls-by-person"),),
    row_cap=50,
)
TABLES = """
create table day_rows (day date, people int, calls int, errors int, cost numeric, speed numeric);
create table person_rows (who text, tier text, calls int, cost numeric);
create view days with (security_invoker = true) as select * from day_rows;
create view persons with (security_invoker = true) as select * from person_rows;
"""


class Numbers:
    """A database with the two views, and the page's data of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(statement.encode())

    def read(self, *, is_admin: bool = True, url: str | None = None, **changes: Any) -> Analytics:
        definition = DEFINITION.model_copy(update=changes)
        return read_analytics(url or self.url, definition, NOW, is_admin=is_admin)

    def metric(self, name: str, **options: Any) -> Metric:
        return next(one for one in self.read(**options).metrics if one.id == name)

    def table(self, name: str, **options: Any) -> Table:
        return next(one for one in self.read(**options).tables if one.id == name)


@pytest.fixture
def empty(make_database: MakeDatabase) -> Numbers:
    return Numbers(make_database())


@pytest.fixture
def numbers(empty: Numbers) -> Numbers:
    empty.sql(TABLES)
    return empty


@pytest.fixture
def filled(numbers: Numbers) -> Numbers:
    numbers.sql("insert into day_rows values ('2026-03-10', 8, 30, 3, 0.5, 100), ('2026-03-09', 6, 10, 0, null, 300)")
    numbers.sql(
        "insert into person_rows select 'p' || n, case when n <= 3 then 'rare' else 'free' end, 4,"
        " case when n <= 3 then null else 0.05 end from generate_series(1, 10) n"
    )
    return numbers


def test_numbers_are_what_their_definitions_say(filled: Numbers) -> None:
    found = {one.id: one.value for one in filled.read().metrics}
    assert found["calls"] == 40
    assert found["share"] == pytest.approx(3 / 40)
    assert found["speed"] == pytest.approx((30 * 100 + 10 * 300) / 40)
    assert found["callers"] == 10


def test_a_null_is_no_zero(filled: Numbers) -> None:
    cost = filled.metric("cost")
    assert (cost.value, cost.rows) == (0.5, 1)


def test_a_counted_zero_is_a_zero(filled: Numbers) -> None:
    filled.sql("update day_rows set errors = 0")
    assert (filled.metric("errors").value, filled.metric("errors").state) == (0, NumberState.ZERO)


def test_no_rows_is_no_data_yet(numbers: Numbers) -> None:
    assert (numbers.metric("calls").value, numbers.metric("calls").state) == (None, NumberState.NO_DATA)


def test_rows_without_the_number_are_no_data(filled: Numbers) -> None:
    filled.sql("update day_rows set cost = null")
    assert (filled.metric("cost").value, filled.metric("cost").state) == (None, NumberState.NO_DATA)


def test_a_view_that_is_not_there_is_not_measured(empty: Numbers) -> None:
    found = empty.metric("calls")
    assert (found.value, found.state) == (None, NumberState.NOT_MEASURED)
    assert "days is not there" in found.note


def test_a_view_with_other_columns_is_not_measured(filled: Numbers) -> None:
    filled.sql("alter view days rename column speed to pace")
    assert filled.metric("calls").state is NumberState.NOT_MEASURED


def as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}:reading@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture
def reader_url(filled: Numbers) -> Iterator[str]:
    filled.sql("create role reader login password 'reading'; grant select on days, day_rows, person_rows to reader")
    yield as_role(filled.url, "reader")
    filled.sql("drop owned by reader; drop role reader")


def test_a_view_that_our_role_may_not_read_is_blocked(filled: Numbers, reader_url: str) -> None:
    found = filled.metric("callers", url=reader_url)
    assert (found.value, found.state) == (None, NumberState.BLOCKED)
    assert filled.metric("calls", url=reader_url).state is NumberState.VALUE


def test_rows_hidden_by_row_level_security_are_blocked_and_no_zero(filled: Numbers, reader_url: str) -> None:
    filled.sql("alter table day_rows enable row level security")
    found = filled.metric("calls", url=reader_url)
    assert (found.value, found.state) == (None, NumberState.BLOCKED)


def test_more_rows_than_the_cap_is_truncated(filled: Numbers) -> None:
    found = filled.metric("calls-by-person", row_cap=5)
    assert (found.value, found.state) == (20, NumberState.TRUNCATED)


def test_old_rows_are_stale(filled: Numbers) -> None:
    filled.sql("update day_rows set day = day - 5")
    found = filled.metric("calls")
    assert (found.value, found.state) == (40, NumberState.STALE)
    assert "5 days ago" in found.note


def test_rows_about_few_people_are_hidden_below_admin(filled: Numbers) -> None:
    filled.sql("insert into day_rows values ('2026-03-08', 2, 5, 0, 0.1, 100)")
    shown = filled.table("days", is_admin=False)
    assert ([row["people"] for row in shown.rows], shown.hidden) == ([8, 6], 1)
    assert filled.table("days", is_admin=True).hidden == 0


def test_single_people_are_shown_to_admins_and_as_groups_of_five_to_others(filled: Numbers) -> None:
    assert len(filled.table("persons", is_admin=True).rows) == 10
    shown = filled.table("persons", is_admin=False)
    assert (shown.rows, shown.hidden) == (({"tier": "free", "people": 7, "calls": 28, "cost": pytest.approx(0.35)},), 1)


def test_a_number_about_few_people_is_hidden_below_admin_and_says_n_to_admins(filled: Numbers) -> None:
    filled.sql("delete from person_rows where tier = 'free'")
    assert filled.metric("callers", is_admin=False).state is NumberState.BLOCKED
    admins = filled.metric("callers", is_admin=True)
    assert (admins.value, admins.note) == (3, "About 3 people.")


def test_a_number_that_few_of_many_people_add_to_is_about_these_few(filled: Numbers) -> None:
    filled.sql("update person_rows set calls = 0 where who not in ('p1', 'p2')")
    assert filled.metric("calls-by-person", is_admin=False).state is NumberState.BLOCKED
    assert filled.metric("calls-by-person", is_admin=True).note == "About 2 people."


def test_an_export_holds_no_small_group_and_no_single_person_whoever_takes_it(filled: Numbers) -> None:
    filled.sql("insert into day_rows values ('2026-03-08', 2, 5, 0, 0.1, 100)")
    days, persons = filled.table("days", is_admin=True), filled.table("persons", is_admin=True)
    assert (len(days.rows), [row["people"] for row in days.export]) == (3, [8, 6])
    assert list(persons.export_columns) == ["tier", "people", "calls", "cost"]
    assert [row["tier"] for row in persons.export] == ["free"]
    chart = next(one for one in filled.read(is_admin=True).charts if one.id == "by-day")
    assert (len(chart.x), [row["calls"] for row in chart.export]) == (3, [10.0, 30.0])


def test_where_every_group_is_small_it_is_blocked_and_says_so(filled: Numbers) -> None:
    filled.sql("update day_rows set people = 2")
    found = filled.read(is_admin=False)
    table, chart = found.tables[0], found.charts[0]
    assert (table.state, table.rows, table.export) == (NumberState.BLOCKED, (), ())
    assert (chart.state, chart.x, chart.export) == (NumberState.BLOCKED, (), ())
    assert "admins only" in table.note
    assert "admins only" in chart.note


def test_a_chart_shows_groups_and_never_an_unpriced_zero(filled: Numbers) -> None:
    chart = next(one for one in filled.read(is_admin=True).charts if one.id == "by-tier")
    assert chart.x == ("free",)
    filled.sql("insert into person_rows select 'r' || n, 'rare', 1, null from generate_series(1, 4) n")
    chart = next(one for one in filled.read(is_admin=True).charts if one.id == "by-tier")
    assert (chart.x, chart.y["cost"]) == (("free", "rare"), (pytest.approx(0.35), None))


def test_days_come_in_order(filled: Numbers) -> None:
    chart = next(one for one in filled.read().charts if one.id == "by-day")
    assert chart.y["calls"] == (10.0, 30.0)


def test_sources_that_disagree_are_told(filled: Numbers) -> None:
    assert filled.read().contradictions == ()
    filled.sql("update person_rows set calls = 5 where who = 'p1'")
    assert len(filled.read().contradictions) == 1
    assert "40" in filled.read().contradictions[0]


def test_a_view_that_does_not_answer_in_time_is_unavailable(filled: Numbers) -> None:
    filled.sql("create or replace view days as select day_rows.* from day_rows, pg_sleep(5)")
    with pytest.raises(Unavailable, match="57014"):
        read_analytics(filled.url, DEFINITION, NOW, is_admin=True, deadline_s=0.3)

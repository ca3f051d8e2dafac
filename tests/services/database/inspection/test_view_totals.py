"""Views that count rows more than once are found, with or without rows there; right ones are not accused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.database.inspection.inspect import Inspection
from services.verdict import Verdict
from tests.services.database.inspection.change import failures, verdict_of

TABLES = """
CREATE TABLE public.people (id uuid PRIMARY KEY, name text);
CREATE TABLE public.entries (id bigserial PRIMARY KEY, user_id varchar(255) NOT NULL, level int);
CREATE TABLE public.logs (id bigserial PRIMARY KEY, user_id text NOT NULL, cost numeric NOT NULL CHECK (cost >= 0),
  pieces int CHECK (pieces > 0));
CREATE TABLE public.lines (id bigserial PRIMARY KEY, log_id bigint NOT NULL REFERENCES public.logs (id), n int);
"""
WRONG = {
    "engagement": "SELECT p.id, count(e.id) AS entries, sum(l.cost) AS cost FROM people p"
    " LEFT JOIN entries e ON e.user_id = p.id::text LEFT JOIN logs l ON l.user_id = p.id::text GROUP BY p.id",
    "inside": "WITH totals AS (SELECT e.user_id, COALESCE(round(sum(l.cost), 2), 0) AS cost FROM entries e"
    " JOIN logs l ON l.user_id = e.user_id GROUP BY 1) SELECT user_id, cost FROM totals ORDER BY cost",
    "products": "SELECT sum((l.cost * COALESCE(l.pieces, 1)) + 1) AS worth FROM logs l JOIN lines n ON n.log_id = l.id",
    "parents": "SELECT count(l.id) AS logs, sum(n.n) AS n FROM logs l JOIN lines n ON n.log_id = l.id",
}
RIGHT = {
    "distinct_ones": "SELECT count(DISTINCT e.id) AS e FROM entries e JOIN logs l ON l.user_id = e.user_id",
    "children": "SELECT l.user_id, sum(n.n) AS n FROM logs l JOIN lines n ON n.log_id = l.id GROUP BY 1",
    "weighed": "SELECT l.user_id, sum(n.n * n.id) AS n FROM logs l JOIN lines n ON n.log_id = l.id GROUP BY 1",
    "first_summed": "SELECT p.id, e.n, l.cost FROM people p"
    " LEFT JOIN (SELECT user_id, count(id) AS n FROM entries GROUP BY 1) e ON e.user_id = p.id::text"
    " LEFT JOIN (SELECT user_id, sum(cost) AS cost FROM logs GROUP BY 1) l ON l.user_id = p.id::text",
    "alone": "SELECT user_id, sum(cost) AS cost FROM logs GROUP BY 1",
}


@pytest.fixture(scope="module")
def views(changed_once: Callable[..., Inspection]) -> Inspection:
    return changed_once("".join(f"CREATE VIEW public.{name} AS {query};" for name, query in (WRONG | RIGHT).items()),
                        TABLES)  # fmt: skip


def test_views_that_multiply_are_found_though_the_tables_are_empty(views: Inspection):
    assert failures(views, "view-total") == {(f"public.{name}", "fan-out") for name in WRONG}


@pytest.mark.parametrize("name", ["children", "weighed"])
def test_a_right_total_over_a_join_passes(views: Inspection, name: str):
    assert verdict_of(views, "view-total", f"public.{name}") is Verdict.PASS


def test_the_sentence_has_both_totals(views: Inspection):
    (one,) = [one for one in views.failed if one.object == "public.inside"]
    assert one.message == "Its join multiplies rows: sum(l.cost) comes to 4, and public.logs holds 2."

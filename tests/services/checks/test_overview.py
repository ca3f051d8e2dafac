"""What is known of each check now: attention first, nothing green that is old, and what an app does not use."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.checks.overview import areas, check_rows, cost_of, cost_sentence, tally
from services.checks.registry import Catalogue, Cost
from services.verdict import Evidence, Verdict
from tests.services.checks.conftest import NOW, spec


def seen(check_id: str, verdict: Verdict, *, age: timedelta = timedelta()) -> Evidence:
    started = NOW - age
    expires = started + timedelta(minutes=15)
    return Evidence(check_id, "staging", verdict, "Seen.", {}, {}, "0", started, 1.0, 1, expires)


CATALOGUE = Catalogue(
    [
        spec("good", touches=("app",)),
        spec("old", touches=("app",)),
        spec("bad", touches=("database",), mutates=True),
        spec("bad-and-old", touches=("database",)),
        spec("dark", touches=("app",)),
        spec("elsewhere", touches=("Railway",)),
    ],
    uses=("app", "database"),
)
NEWEST = {
    "good": seen("good", Verdict.PASS),
    "old": seen("old", Verdict.PASS, age=timedelta(hours=1)),
    "bad": seen("bad", Verdict.FAIL),
    "bad-and-old": seen("bad-and-old", Verdict.FAIL, age=timedelta(hours=1)),
}


@pytest.mark.parametrize(
    ("check", "state", "wrong"),
    [
        ("good", "pass", False),
        ("old", "expired", True),
        ("bad", "fail", True),
        ("bad-and-old", "fail", True),
        ("dark", "never", True),
        ("elsewhere", "not used", False),
    ],
)
def test_a_check_is_in_one_state(check: str, state: str, wrong: bool) -> None:
    row = next(row for row in check_rows(CATALOGUE, NEWEST, NOW) if row.spec.id == check)
    assert (row.state, row.wrong) == (state, wrong)


def test_what_asks_for_attention_is_told_first() -> None:
    assert tally(check_rows(CATALOGUE, NEWEST, NOW)) == (
        ("fail", 2),
        ("expired", 1),
        ("never", 1),
        ("pass", 1),
        ("not used", 1),
    )


def test_areas_are_what_checks_touch_first() -> None:
    assert areas(check_rows(CATALOGUE, NEWEST, NOW)) == ("app", "database", "Railway")


def test_the_cost_of_several_is_the_sum_of_each() -> None:
    total = cost_of([spec("a", cost=Cost(2, 400, 0.1)), spec("b", cost=Cost(3, 600, 0.15))])
    assert cost_sentence(total) == "up to 5 calls, 1,000 tokens, 0.25 cents"
    assert cost_sentence(Cost(1)) == "up to 1 call"

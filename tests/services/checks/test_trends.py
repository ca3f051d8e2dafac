"""Numbers over time: each look once, and before beside after without inventing either."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.checks.trends import Change, before_and_after, points
from services.verdict import Evidence, Verdict
from tests.services.checks.conftest import NOW

NAMES = ("share", "connections")


def look(minutes: int, **facts: Any) -> Evidence:
    at = NOW + timedelta(minutes=minutes)
    return Evidence("speed", "staging", Verdict.PASS, "Seen.", facts, {}, "0", at, 1.0, 1, at)


def test_a_look_that_saw_no_number_is_no_point() -> None:
    seen = points([look(2, share=0.5, release="beta"), look(1, share=None), look(0, share=True, connections=3)], NAMES)
    assert [(point.at - NOW, dict(point.values), point.release) for point in seen] == [
        (timedelta(0), {"connections": 3.0}, None),
        (timedelta(minutes=2), {"share": 0.5}, "beta"),
    ]


def test_before_is_the_last_look_before_the_moment_and_after_the_newest_since() -> None:
    seen = points([look(n, connections=n) for n in (1, 2, 3, 4)], NAMES)
    share, connections = before_and_after(seen, NAMES, NOW + timedelta(minutes=3))
    assert share == Change("share", None, None, None, None)
    assert (connections.before, connections.after) == (2, 4)
    assert connections.share == pytest.approx(1.0)


@pytest.mark.parametrize(
    "change", [Change("n", None, None, 4, NOW), Change("n", 0, NOW, 4, NOW), Change("n", 4, NOW, None, None)]
)
def test_a_change_that_cannot_be_said_is_none(change: Change) -> None:
    assert change.share is None

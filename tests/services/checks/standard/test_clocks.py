"""Clocks that differ are told by how far, and one that cannot be read is not called right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.checks.standard.clocks import Clock, agreement, clock_agrees
from services.clients.http import UpstreamError
from services.verdict import Verdict
from tests.services.checks.standard.conftest import SmallApp

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def clock(name: str, off_s: float) -> Clock:
    return Clock(name, NOW, NOW + timedelta(seconds=1 + off_s), NOW + timedelta(seconds=2))


@pytest.mark.parametrize(
    ("off_s", "measured", "verdict"),
    [(0, 0.0, Verdict.PASS), (30, 29.0, Verdict.PASS), (40, 39.0, Verdict.FAIL), (-40, -39.0, Verdict.FAIL)],
)
def test_a_clock_may_be_half_a_minute_off(off_s: float, measured: float, verdict: Verdict) -> None:
    found = agreement([clock("app", off_s)], ())
    assert (found.facts["app_off_s"], found.verdict) == (measured, verdict)


def test_a_wrong_clock_is_wrong_whatever_the_other_one_says() -> None:
    found = agreement([clock("database", 300)], ("app",))
    assert (found.verdict, found.facts["not_read"]) == (Verdict.FAIL, ["app"])
    assert "ahead" in found.summary


def test_a_clock_that_cannot_be_read_is_not_called_right() -> None:
    assert agreement([clock("database", 0)], ("app",)).verdict is Verdict.UNKNOWN
    assert agreement([], ()).verdict is Verdict.UNKNOWN


def test_an_app_that_is_not_there_leaves_it_unknown(small_app: SmallApp) -> None:
    with pytest.raises(UpstreamError):
        clock_agrees(small_app.context(app_url="http://127.0.0.1:9"))

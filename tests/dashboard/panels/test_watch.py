"""A tile of the war room: green only where every check of its service was seen and still speaks of now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.panels.watch import SLACK, tile_of
from services.app_definition import WatchedService
from services.verdict import Evidence, Verdict

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SERVICE = WatchedService(id="ai", title="AI", checks=("key", "answers"))
PAUSES = {"key": timedelta(minutes=15)}
"""`key` is repeated by watching; `answers` writes, so it is not."""


def seen(check: str, verdict: Verdict = Verdict.PASS, *, ago: timedelta = timedelta(0)) -> dict[str, Evidence]:
    started = NOW - ago
    expires = started + timedelta(minutes=10)
    return {check: Evidence(check, "t", verdict, f"{check} {verdict}", {}, {}, "", started, 1.0, 1, expires)}


def state(*given: dict[str, Evidence]) -> str:
    return tile_of(SERVICE, {check: e for one in given for check, e in one.items()}, PAUSES, NOW).state


def test_a_good_key_of_ours_alone_is_not_a_green_ai() -> None:
    tile = tile_of(SERVICE, seen("key"), PAUSES, NOW)
    assert tile.state == "unknown"
    assert tile.told == "1 of 2 pass. Not looked at lately: answers; the production test does."


def test_all_of_them_seen_is_green_until_one_expires() -> None:
    assert state(seen("key"), seen("answers")) == "pass"
    assert state(seen("key"), seen("answers", ago=timedelta(minutes=10))) == "unknown"


def test_a_repeated_check_that_is_later_than_its_pause_is_stale() -> None:
    late = PAUSES["key"] + SLACK
    assert state(seen("key", ago=late), seen("answers")) == "pass"
    assert state(seen("key", ago=late + timedelta(seconds=1)), seen("answers")) == "stale"


@pytest.mark.parametrize(
    ("verdict", "expected"), [(Verdict.FAIL, "fail"), (Verdict.UNKNOWN, "unknown"), (Verdict.PASS, "pass")]
)
def test_the_worst_verdict_decides(verdict: Verdict, expected: str) -> None:
    tile = tile_of(SERVICE, seen("key") | seen("answers", verdict), PAUSES, NOW)
    assert tile.state == expected
    if verdict is not Verdict.PASS:
        assert tile.told == f"answers {verdict}"


def test_a_failure_shows_even_while_others_are_silent() -> None:
    assert state(seen("key", Verdict.FAIL)) == "fail"


def test_nobody_looked_is_never() -> None:
    assert state() == "never"

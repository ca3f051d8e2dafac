"""Restart loops by the pattern of starts and deaths in a log, told from a restart that somebody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.checks.standard.startup import lives
from services.clients.railway import LogLine
from services.verdict import Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = "INFO:     Started server process [41]"
DIED = "Process exited with code 1"


def log(*lines: tuple[float, str]) -> list[LogLine]:
    """(seconds before now, text)."""
    return [LogLine((NOW - timedelta(seconds=ago)).isoformat(), "info", text) for ago, text in lines]


LOOP = log((900, START), (600, DIED), (599, START), (299, DIED), (298, START))


@pytest.mark.parametrize(
    ("lines", "running", "verdict"),
    [
        (log((500, START)), True, Verdict.PASS),
        (LOOP, True, Verdict.FAIL),
        (LOOP, False, Verdict.FAIL),
        (log((500, START), (400, START)), True, Verdict.PASS),
        (log((500, START), (400, DIED), (399, START)), True, Verdict.UNKNOWN),
        (log((500, START), (400, DIED)), False, Verdict.PASS),
        (log((9000, START), (8000, START), (7000, START), (100, START)), True, Verdict.PASS),
        (
            log((900, "Starting Container"), (600, "Starting Container"), (300, "Starting Container")),
            True,
            Verdict.FAIL,
        ),
        ([], True, Verdict.UNKNOWN),
    ],
)
def test_what_a_log_says_of_a_loop(lines: Sequence[LogLine], running: bool, verdict: Verdict) -> None:
    assert lives(lines, NOW, running=running, status="SUCCESS").verdict is verdict


def test_how_long_each_start_lived_is_told() -> None:
    found = lives(LOOP, NOW, running=True, status="SUCCESS")
    assert (found.facts["starts"], found.facts["deaths"], found.facts["lived_s"]) == (3, 2, [301.0, 301.0])
    assert found.facts["typical_life_s"] == 301.0


def test_an_end_that_was_asked_for_is_no_death() -> None:
    lines = log((500, START), (400, "Process exited with code 0"), (399, START))
    assert lives(lines, NOW, running=True, status="SUCCESS").facts["deaths"] == 0


def test_a_line_without_a_time_is_left_out() -> None:
    assert lives([LogLine("soon", "", START)], NOW, running=True, status="SUCCESS").facts["starts"] == 0

"""What came too late is looked at again, and a wrong verdict is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.verdict import Evidence, Verdict
from tests.lateness import in_time

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def saw(verdict: Verdict, kind: str | None = None) -> list[Evidence]:
    return [Evidence("it", "staging", verdict, "", {"kind": kind}, {}, "", NOON, 1.0, 1, NOON)]


LATE = saw(Verdict.UNKNOWN, "timeout")


@pytest.mark.parametrize(
    ("answers", "looks"),
    [
        ([saw(Verdict.PASS)], 1),
        ([saw(Verdict.FAIL, "timeout")], 1),
        ([saw(Verdict.UNKNOWN, "unreachable")], 1),
        ([LATE, saw(Verdict.FAIL)], 2),
        ([LATE, LATE, LATE], 3),
    ],
)
def test_only_what_is_unknown_for_being_late_is_looked_at_again(answers: list[list[Evidence]], looks: int) -> None:
    left = list(answers)
    assert in_time(lambda: left.pop(0), lambda seen: seen) == answers[-1]
    assert len(answers) - len(left) == looks

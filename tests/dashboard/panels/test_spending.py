"""What test data costs today, as people read it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard.panels.spending import told
from services.checks.caps import Spent

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spent", "line"),
    [
        (Spent("ai", 12, 200, 0.4, 20.0, MIDNIGHT), "12 of 200 calls, 0.4 of 20 cents"),
        (Spent("ai", 200, 200, 0.4, 20.0, MIDNIGHT), "200 of 200 calls, 0.4 of 20 cents: used up"),
        (Spent("ai", 3, 200, 20.0, 20.0, MIDNIGHT), "3 of 200 calls, 20 of 20 cents: used up"),
        (Spent("probe", 0, 200, 0.0, 0.0, MIDNIGHT), "0 of 200 calls, 0 of 0 cents"),
        (Spent("ai", 12, None, 0.4, None, MIDNIGHT), "12 calls, 0.4 cents, no cap"),
    ],
)
def test_a_line_tells_what_is_spent_of_what(spent: Spent, line: str) -> None:
    assert told(spent) == line

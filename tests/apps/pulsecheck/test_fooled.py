"""Each way in which a test by status codes was fooled lowers the score; that test goes on counting the feature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.app_definition import load_app
from services.checks.score import Score, read_score
from services.verdict import Evidence, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
APP = load_app("pulsecheck")
STAGES = {"write": "pass", "stored": "pass", "read": "pass"}
ALL_WELL: dict[str, dict[str, Any]] = {
    "api-answers": {"status": 200},
    "docs-served": {"status": 200},
    "journal-roundtrip": {"status": 200, "read_status": 200, "stages": STAGES},
    "stats-answer": {"status": 200},
    "database-rest": {},
    "database-direct": {},
    "ai-answers": {"statuses": [200, 200]},
    "ai-quality": {},
    "feedback-stored": {"status": 200, "stored": 1},
    "admin-numbers": {"status": 200},
}


def score_with(**failing: dict[str, Any]) -> Score:
    """The score where all is well but for these checks, by id with _ for -, each with the facts it saw."""
    named = {check.replace("_", "-"): facts for check, facts in failing.items()}
    seen = []
    for check, facts in (ALL_WELL | named).items():
        verdict = Verdict.FAIL if check in named else Verdict.PASS
        seen.append(Evidence(check, "t", verdict, check, facts, {}, "", NOW, 1, 1, NOW + timedelta(hours=1)))
    return read_score(APP, seen)


def test_with_nothing_wrong_ten_of_ten_pass() -> None:
    assert (score_with().passed, score_with().of) == (10, 10)


@pytest.mark.parametrize(
    ("fooled", "feature", "failing"),
    [
        ("a health check that lies", "health", {"api_answers": {"status": 200, "unknown_path_status": 200}}),
        ("admin that answers 500", "admin", {"admin_numbers": {"status": 500}}),
        ("feedback that is answered and not stored", "feedback", {"feedback_stored": {"status": 200, "stored": 0}}),
        ("numbers that are all zero", "admin", {"admin_numbers": {"status": 200, "all_zero": True}}),
        (
            "an entry that is answered and not stored",
            "journal-write",
            {"journal_roundtrip": {"status": 200, "read_status": 200, "stages": {**STAGES, "stored": "fail"}}},
        ),
        ("statistics that are wrong", "stats", {"stats_answer": {"status": 200}}),
    ],
)
def test_what_fooled_the_old_test_lowers_the_score(fooled: str, feature: str, failing: dict[str, Any]) -> None:
    score = score_with(**failing)
    assert {one.id for one in score.features if one.verdict is not Verdict.PASS} == {feature}, fooled
    assert (score.passed, score.percent) == (9, 90.0)
    assert not score.percent > APP.thresholds.score_percent
    assert score.old is not None
    assert score.old.said[feature], fooled


def test_canned_answers_count_as_answered_and_lower_the_score() -> None:
    score = score_with(ai_quality={"same_text": True})
    assert {one.id for one in score.features if one.verdict is not Verdict.PASS} == {"ai-quality"}
    assert score.old is not None
    assert (score.old.said["ai-answers"], score.old.ready) == (True, True)

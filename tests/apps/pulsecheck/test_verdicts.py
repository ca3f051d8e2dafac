"""How answers become verdicts, as functions: the limit, the routes, the statistics, the admin numbers, the role."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.pulsecheck.checks.admin import judged_role
from apps.pulsecheck.checks.admin_numbers import judged_numbers
from apps.pulsecheck.checks.api import CALLED, judged_routes
from apps.pulsecheck.checks.journal import compared_statistics
from apps.pulsecheck.checks.limits import judged_limit, tier_by_rule
from apps.pulsecheck.client import ADMIN
from services.app_definition import load_app
from services.clients.http import Answer, Kind, UpstreamError
from services.verdict import Verdict

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
APP = load_app("pulsecheck")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def answer(status: int = 200, body: Any = None) -> Answer:
    return Answer("PulseCheck", "http://app", status, {}, json.dumps({} if body is None else body).encode(), 0.1)


OF_THE_DAY = answer(429, {"detail": {"message": "Daily AI limit reached", "type": "rate_limit", "retry_after": 9}})
THROTTLED = answer(429, {"error": "Rate limit exceeded: 5 per 1 minute"})
SILENT = UpstreamError("PulseCheck", Kind.TIMEOUT, "no answer")
LIMIT = {"limit": 5, "tier": "free", "used_before": 2, "shared_user": False}


@pytest.mark.parametrize(
    ("allowed", "last", "counted", "verdict"),
    [
        ([answer()] * 3, OF_THE_DAY, 5, PASS),
        ([answer()] * 3, THROTTLED, 5, PASS),
        ([answer()] * 3, answer(), 6, FAIL),
        ([answer()] * 3, OF_THE_DAY, 4, FAIL),
        ([answer(), answer(), OF_THE_DAY], None, 4, FAIL),
        ([answer(), OF_THE_DAY, OF_THE_DAY], None, 5, UNKNOWN),
        ([answer(), answer(), THROTTLED], None, 4, UNKNOWN),
        ([answer(), answer(), SILENT], None, 4, UNKNOWN),
        ([answer(), answer(), answer(500)], None, 4, UNKNOWN),
        ([answer()] * 3, SILENT, 5, UNKNOWN),
        ([answer()] * 3, answer(503), 5, UNKNOWN),
        ([answer()] * 3, answer(401), 5, UNKNOWN),
    ],
)
def test_a_limit_holds_where_all_before_it_are_answered_and_the_next_is_refused_and_counted(
    allowed: list[Answer | UpstreamError], last: Answer | UpstreamError | None, counted: int, verdict: Verdict
) -> None:
    assert judged_limit(allowed, last, counted, dict(LIMIT)).verdict is verdict


@pytest.mark.parametrize(
    ("user", "tier"),
    [
        (None, "free"),
        ({"is_premium": True, "tier_expires_at": None, "created_at": NOW - timedelta(days=90)}, "premium"),
        ({"is_premium": True, "tier_expires_at": "2026-02-01T00:00:00+00:00", "created_at": NOW}, "beta"),
        ({"is_premium": False, "created_at": NOW - timedelta(days=29)}, "beta"),
        ({"is_premium": False, "created_at": NOW - timedelta(days=31)}, "free"),
        ({"is_premium": None, "created_at": "2026-02-20T00:00:00"}, "beta"),
    ],
)
def test_a_tier_follows_the_rule(user: dict[str, Any] | None, tier: str) -> None:
    assert tier_by_rule(user, NOW) == tier


def listing(*paths: str) -> Answer:
    return answer(200, {"paths": {path: {} for path in paths}})


OK = dict.fromkeys(CALLED, 200)
ADMIN_GONE = {path: 404 if path.startswith(ADMIN) else status for path, status in OK.items()}


@pytest.mark.parametrize(
    ("document", "statuses", "feedback", "state", "build"),
    [
        (listing(*APP.paths_of("beta")), OK, 422, "complete", "beta"),
        (listing(*APP.paths_of("old")), ADMIN_GONE, 404, "old-build", "old"),
        (answer(404), ADMIN_GONE, 404, "old-build", None),
        (listing(*APP.paths_of("beta")), {**OK, f"{ADMIN}/costs": 405}, 422, "router-missing", None),
        (answer(404), OK, 422, "complete", "newest"),
        (answer(404), dict.fromkeys(CALLED, 401), 401, "complete", "newest"),
        (answer(404), OK, 404, "router-missing", None),
        (listing(*APP.paths_of("beta")), {**OK, f"{ADMIN}/costs": 500}, 422, "broken", "beta"),
        (answer(500), dict.fromkeys(CALLED, 500), 500, "broken", None),
        (answer(502), dict.fromkeys(CALLED, 502), 502, "dead", None),
    ],
)
def test_a_dead_build_an_old_one_and_a_missing_router_are_told_apart(
    document: Answer, statuses: Mapping[str, int], feedback: int, state: str, build: str | None
) -> None:
    found = judged_routes(APP, document, statuses, feedback)
    if state == "old-build" and build is None:
        # Without a list, paths that cannot be called count as served: an old build shows as a part missing.
        assert found.state in ("old-build", "router-missing")
        return
    assert (found.state, found.id) == (state, build)


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_list_of_routes_that_is_not_shown_says_nothing(status: int) -> None:
    with pytest.raises(UpstreamError):
        judged_routes(APP, answer(status), dict.fromkeys(CALLED, status), status)


OWN = {
    "total": 4,
    "mood_level": 6.5,
    "newest_mood_level": 6.5,
    "energy_level": 5.25,
    "stress_level": 4.0,
    "last_entry": NOW,
}
TOLD = {
    "total_entries": 4,
    "average_mood": 6.5,
    "average_energy": 5.25,
    "average_stress": 4.0,
    "last_entry_date": "2026-03-01",
}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, set()),
        ({"total_entries": 10}, {"total_entries"}),
        ({"total_entries": None}, {"total_entries"}),
        ({"average_mood": 6.4}, {"average_mood"}),
        ({"average_mood": "6.5"}, {"average_mood"}),
        ({"last_entry_date": "2026-01-01"}, {"last_entry_date"}),
        ({"last_entry_date": "yesterday"}, {"last_entry_date"}),
        ({"current_streak": 99}, set()),
    ],
)
def test_statistics_are_compared_with_our_own(changes: dict[str, Any], wrong: set[str]) -> None:
    pairs = compared_statistics({**TOLD, **changes}, OWN, OWN)
    assert {pair.name for pair in pairs if not pair.equal} == wrong


def test_an_average_that_a_build_leaves_out_is_not_compared_and_one_of_the_newest_thousand_is_good() -> None:
    assert [pair.name for pair in compared_statistics({"total_entries": 4}, OWN, OWN)] == ["total_entries"]
    many = {**OWN, "newest_mood_level": 7.5}
    assert all(pair.equal for pair in compared_statistics({**TOLD, "average_mood": 7.5}, many, many))


COUNTED = {
    "day": "2026-03-01",
    "daily_active_users": 3,
    "total_ai_interactions": 9,
    "total_daily_cost": 0.0321,
    "error_count": 1,
    "avg_tokens_per_interaction": 80.333,
    "week_calls": 40,
    "iso_week_calls": 30,
    "month_cost": 0.4,
    "month_calls": 90,
    "all_calls": 95,
    "all_cost": 0.42,
    "feedback": 7,
}
DAILY = {
    "daily_active_users": 3,
    "total_ai_interactions": 9,
    "total_daily_cost": 0.0321,
    "error_count": 1,
    "avg_tokens_per_interaction": 80.33,
}
PERSON = {"total_ai_interactions": 95, "total_cost": 0.42}
BODIES: dict[str, Any] = {
    "daily": DAILY,
    "weekly": {"weeks_included": 1, "weekly_metrics": [{"total_ai_interactions": 30}]},
    "users": {"summary": {}, "users": [PERSON]},
    "feedback": {"period_days": 7, "overall_sentiment": {"total_feedback": 7}},
    "costs": {"period_days": 30, "cost_summary": {"total_cost": 0.4}},
    "health": {"health_score": 100, "last_24h_metrics": DAILY},
    "export": {"daily_metrics": [{"total_ai_interactions": 40}, {"total_ai_interactions": 50}]},
}


def numbers(**changes: Any) -> dict[str, Answer]:
    return {name: answer(200, body) for name, body in {**BODIES, **changes}.items()}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, []),
        ({"daily": [DAILY]}, []),
        ({"daily": {**DAILY, "total_daily_cost": 0.03}}, []),
        ({"weekly": {"weeks_included": 1, "weekly_metrics": [{"total_ai_interactions": 40}]}}, []),
        ({"weekly": {"weeks_included": 1, "weekly_metrics": [{"calls": 1}]}}, []),
        ({"daily": {**DAILY, "error_count": 2}}, ["error_count"]),
        ({"daily": {**DAILY, "total_daily_cost": 0.3}}, ["total_daily_cost"]),
        ({"daily": {**DAILY, "total_daily_cost": None}}, ["total_daily_cost"]),
        (
            {"users": {"summary": {}, "users": [{"total_ai_interactions": 95, "total_cost": 1.26}]}},
            ["users.total_cost"],
        ),
        ({"feedback": {"period_days": 7, "overall_sentiment": {"total_feedback": 0}}}, ["feedback.total_feedback"]),
        ({"export": {"daily_metrics": [{"total_ai_interactions": 1}]}}, ["export.total_ai_interactions"]),
    ],
)
def test_admin_numbers_equal_our_own_count(changes: dict[str, Any], wrong: list[str]) -> None:
    found = judged_numbers(numbers(**changes), COUNTED, COUNTED)
    assert (found.facts["wrong"], found.verdict) == (wrong, FAIL if wrong else PASS)


def test_zeros_while_there_are_calls_are_rows_that_are_hidden() -> None:
    found = judged_numbers(numbers(daily=dict.fromkeys(DAILY, 0)), COUNTED, COUNTED)
    assert (found.verdict, found.facts["all_zero"]) == (FAIL, True)


@pytest.mark.parametrize(("status", "verdict"), [(500, FAIL), (404, FAIL), (401, UNKNOWN), (429, UNKNOWN)])
def test_an_admin_endpoint_without_an_answer_decides(status: int, verdict: Verdict) -> None:
    found = judged_numbers({**numbers(), "costs": answer(status)}, COUNTED, COUNTED)
    assert (found.verdict, found.facts["endpoint"]) == (verdict, "costs")


def test_an_admin_endpoint_in_another_shape_is_a_fail_and_another_type_not_understood() -> None:
    assert judged_numbers(numbers(costs={"period_days": 30}), COUNTED, COUNTED).verdict is FAIL
    with pytest.raises(UpstreamError) as raised:
        judged_numbers(numbers(costs="text"), COUNTED, COUNTED)
    assert raised.value.kind is Kind.NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("status", "verdict"), [(403, PASS), (401, PASS), (200, FAIL), (404, UNKNOWN), (500, UNKNOWN), (429, UNKNOWN)]
)
def test_a_role_from_user_metadata_must_be_refused(status: int, verdict: Verdict) -> None:
    assert judged_role(answer(status, DAILY)).verdict is verdict

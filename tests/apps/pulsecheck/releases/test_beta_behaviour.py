"""What the beta schema does once it is there: quotas, tiers, resets, views, and who may see what."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.apps.pulsecheck.releases.production import Database


@pytest.fixture
def session(deployed_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A transaction on a deployed database, which is rolled back."""
    with psycopg.connect(deployed_database.owner) as conn:
        yield conn
        conn.rollback()


def log(session: psycopg.Connection[Any], user: str, tokens: int, cost: str | None, at: str = "now()") -> None:
    session.execute(
        f"INSERT INTO ai_usage_logs (user_id, total_tokens, cost_usd, created_at) VALUES (%s, %s, %s, {at})".encode(),
        (user, tokens, cost),
    )


def quotas(session: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return session.execute(
        "SELECT user_id, requests_used, tokens_used, cost_usd::text FROM daily_usage_quotas ORDER BY usage_date, 1"
    ).fetchall()


def tier_info(session: psycopg.Connection[Any], user: str) -> tuple[Any, ...]:
    row = session.execute("SELECT * FROM get_user_tier_info(%s)", (user,)).fetchone()
    assert row is not None
    return row


def user_id(session: psycopg.Connection[Any], name: str) -> str:
    row = session.execute("SELECT id::text FROM users WHERE name = %s", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def test_a_call_without_a_price_leaves_the_cost_a_number(session: psycopg.Connection[Any]) -> None:
    log(session, "user_123", 5, None)
    log(session, "user_123", 10, "0.0000125")
    log(session, "user_123", 1, None)
    assert quotas(session) == [("user_123", 3, 16, "0.0000125")]


def test_a_deleted_call_is_taken_off_to_the_digit_and_an_empty_day_goes(session: psycopg.Connection[Any]) -> None:
    log(session, "user_123", 5, "0.10")
    before = quotas(session)
    log(session, "user_123", 7, "0.0333")
    session.execute("DELETE FROM ai_usage_logs WHERE total_tokens = 7")
    assert quotas(session) == before
    session.execute("DELETE FROM ai_usage_logs")
    assert quotas(session) == []


def test_a_changed_call_moves_to_its_new_user_and_day(session: psycopg.Connection[Any]) -> None:
    log(session, "user_123", 5, "0.1")
    session.execute("UPDATE ai_usage_logs SET user_id = 'other', total_tokens = 6")
    assert quotas(session) == [("other", 1, 6, "0.1")]
    session.execute("UPDATE ai_usage_logs SET created_at = created_at - interval '1 day'")
    days = session.execute(
        "SELECT usage_date = (now() AT TIME ZONE 'UTC')::date - 1 FROM daily_usage_quotas"
    ).fetchall()
    assert days == [(True,)]


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "UTC"])
def test_a_day_is_a_utc_day_whatever_the_sessions_time_zone(session: psycopg.Connection[Any], zone: str) -> None:
    session.execute("SELECT set_config('TimeZone', %s, true)", (zone,))
    log(session, "user_123", 5, "0.1", "'2026-03-01 23:59:59+00'")
    log(session, "user_123", 5, "0.1", "'2026-03-02 00:00:00+00'")
    assert session.execute("SELECT usage_date::text FROM daily_usage_quotas ORDER BY 1").fetchall() == [
        ("2026-03-01",), ("2026-03-02",),
    ]  # fmt: skip
    assert session.execute("SELECT metric_date::text FROM beta_daily_metrics ORDER BY 1").fetchall() == [
        ("2026-03-01",), ("2026-03-02",),
    ]  # fmt: skip


@pytest.mark.parametrize("caller", ["user_123", "00000000-0000-4000-8000-000000000000", "x@example.test", ""])
def test_a_caller_who_is_not_in_users_is_free(session: psycopg.Connection[Any], caller: str) -> None:
    log(session, caller, 1, None)
    assert tier_info(session, caller) == (caller, "free", 5, 1, 3, False, 500)


@pytest.mark.parametrize(
    ("change", "tier"),
    [
        ("name = name", "free"),
        ("is_premium = true", "premium"),
        ("is_premium = true, tier_expires_at = now() + interval '1 hour'", "premium"),
        ("is_premium = true, tier_expires_at = now() - interval '1 hour'", "free"),
        ("created_at = now() - interval '29 days'", "beta"),
        ("created_at = now() - interval '31 days'", "free"),
    ],
)
def test_the_tier_rule_is_the_same_in_function_and_view(
    session: psycopg.Connection[Any], change: str, tier: str
) -> None:
    session.execute(f"UPDATE users SET {change} WHERE name = 'Ada'".encode())
    ada = user_id(session, "Ada")
    assert tier_info(session, ada)[1] == tier
    assert session.execute("SELECT tier FROM beta_user_engagement WHERE user_id = %s", (ada,)).fetchall() == [(tier,)]


def test_a_reset_lets_a_user_call_again_and_leaves_the_quota_true(session: psycopg.Connection[Any]) -> None:
    ada = user_id(session, "Ada")
    log(session, ada, 1, "0.1", "now() - interval '1 millisecond'")
    session.execute("UPDATE users SET daily_ai_usage = 2 WHERE name = 'Bob'")
    before = quotas(session)
    reset = session.execute("SELECT reset_daily_usage_counters()").fetchone()
    assert reset is not None
    # A day may have begun in the millisecond between: then only Bob had something to reset.
    assert reset[0] in (1, 2)
    assert tier_info(session, ada)[3] == 0
    assert quotas(session) == before
    assert session.execute("SELECT sum(daily_ai_usage) FROM users").fetchone() == (0,)


def test_engagement_multiplies_no_cost(session: psycopg.Connection[Any]) -> None:
    for cost in ("0.01", "0.01", "0.01"):
        log(session, "user_123", 10, cost)
    session.execute(
        "INSERT INTO ai_feedback (user_id, feedback_type) VALUES ('user_123', 'thumbs_up'), ('user_123', 'report')"
    )
    row = session.execute(
        "SELECT total_entries, total_ai_interactions, total_tokens, total_cost, total_feedback, positive_feedback"
        " FROM beta_user_engagement WHERE user_id = 'user_123'"
    ).fetchone()
    assert row == (4, 3, 30, Decimal("0.03"), 2, 1)


def test_a_day_without_any_price_has_no_cost_and_says_how_many(session: psycopg.Connection[Any]) -> None:
    log(session, "user_123", 10, None)
    row = session.execute("SELECT total_daily_cost, unpriced_interactions FROM beta_daily_metrics").fetchone()
    assert row == (None, 1)


@pytest.mark.parametrize("feedback_type", ["love", ""])
def test_feedback_of_an_unknown_kind_is_refused(session: psycopg.Connection[Any], feedback_type: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        session.execute("INSERT INTO ai_feedback (user_id, feedback_type) VALUES ('a', %s)", (feedback_type,))


def test_the_backend_can_do_all_that_the_app_does(session: psycopg.Connection[Any]) -> None:
    session.execute("SET LOCAL ROLE service_role")
    log(session, "user_123", 10, "0.01")
    session.execute(
        "INSERT INTO ai_feedback (user_id, feedback_type, ai_usage_log_id)"
        " SELECT user_id, 'detailed', id FROM ai_usage_logs"
    )
    assert quotas(session) == [("user_123", 1, 10, "0.01")]
    for view in ("beta_daily_metrics", "beta_user_engagement", "beta_feedback_analysis"):
        assert session.execute(f"SELECT count(*) > 0 FROM {view}".encode()).fetchone() == (True,)
    assert tier_info(session, "user_123")[3] == 1
    session.execute("SELECT reset_daily_usage_counters()")
    session.execute("DELETE FROM ai_feedback; DELETE FROM ai_usage_logs")


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_others_cannot_write_a_call_or_read_a_view(session: psycopg.Connection[Any], role: str) -> None:
    session.execute(f"SET LOCAL ROLE {role}".encode())
    for attempt in ("INSERT INTO ai_usage_logs (user_id) VALUES ('a')", "SELECT * FROM beta_daily_metrics"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), session.transaction():
            session.execute(attempt.encode())

"""Fourteen days of the beta: repeatable, within every limit, told by the release's own trigger and views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from apps.pulsecheck.definition import own_of
from apps.pulsecheck.twin import TWIN
from apps.pulsecheck.twin.usage import AiCall
from services.app_definition import load_app

ANCHOR = datetime(2026, 3, 1, 0, 20, tzinfo=UTC)
TABLES = {
    "users": "id",
    "ai_usage_logs": "id",
    "ai_feedback": "id",
    "daily_usage_quotas": "user_id, usage_date",
}


def used(address: str, anchor: datetime = ANCHOR, number: int = 7) -> str:
    with psycopg.connect(address) as conn:
        TWIN.seed(conn, anchor, number)
        for script in sorted((TWIN.release / "deploy").glob("*.sql")):
            conn.execute(script.read_bytes())
        conn.commit()
        assert TWIN.usage is not None
        TWIN.usage(conn, anchor, number)
    return address


def contents(address: str) -> dict[str, bytes]:
    found = {}
    with psycopg.connect(address) as conn:
        for table, key in TABLES.items():
            with conn.cursor().copy(f"copy (select * from {table} order by {key}) to stdout".encode()) as copy:
                found[table] = b"".join(bytes(part) for part in copy)
    return found


@pytest.fixture
def conn(make_supabase_database: Callable[[], Any]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(used(make_supabase_database().owner), autocommit=True) as opened:
        yield opened


def rows(conn: psycopg.Connection, statement: str) -> list[tuple[Any, ...]]:
    return conn.execute(statement.encode()).fetchall()


def test_same_anchor_and_seed_give_the_same_rows(make_supabase_database: Callable[[], Any]) -> None:
    first, second = (contents(used(make_supabase_database().owner)) for _ in range(2))
    assert first == second
    assert contents(used(make_supabase_database().owner, number=8)) != first


def test_another_anchor_moves_the_same_calls(make_supabase_database: Callable[[], Any]) -> None:
    by = timedelta(days=400)
    shape = "select created_at, total_tokens from ai_usage_logs order by created_at, id"
    found = []
    for anchor in (ANCHOR, ANCHOR + by):
        with psycopg.connect(used(make_supabase_database().owner, anchor)) as conn:
            found.append([(moment - anchor, tokens) for moment, tokens in rows(conn, shape)])
    assert found[0] == found[1]


def test_fifteen_people_of_three_tiers_ask_three_times_a_week_or_more(conn: psycopg.Connection) -> None:
    weeks = rows(
        conn,
        f"select user_id, count(*) filter (where created_at < '{ANCHOR - timedelta(days=7)}'), count(*)"
        " from ai_usage_logs group by 1",
    )
    assert len(weeks) == 15
    # A call may come some seconds after the entry that closed its week.
    assert all(first >= 2 and both - first >= 2 and both >= 6 for _, first, both in weeks)
    tiers = rows(
        conn,
        "select case when is_premium then 'premium'"
        f" when created_at > '{ANCHOR - timedelta(days=30)}' then 'beta' else 'free' end, count(*)"
        " from users where id::text in (select user_id from ai_usage_logs) group by 1 order by 1",
    )
    assert tiers == [("beta", 6), ("free", 5), ("premium", 4)]


def test_all_of_it_lies_in_the_fourteen_days_before_the_anchor(conn: psycopg.Connection) -> None:
    for table in ("ai_usage_logs", "ai_feedback"):
        ((oldest, newest),) = rows(conn, f"select min(created_at), max(created_at) from {table}")
        assert ANCHOR - timedelta(days=14) <= oldest < newest <= ANCHOR


def test_nobody_is_beyond_the_limits_of_the_lowest_tier_that_was_theirs(conn: psycopg.Connection) -> None:
    over = rows(
        conn,
        "select quota.user_id from daily_usage_quotas as quota join users on users.id::text = quota.user_id"
        " join user_tier_limits as tier on tier.tier_name = case when users.is_premium then 'premium'"
        "   when users.created_at > (quota.usage_date + 1) - interval '30 days' then 'beta' else 'free' end"
        " where quota.requests_used > tier.daily_ai_limit or quota.tokens_used"
        "   > quota.requests_used * tier.max_tokens_per_request",
    )
    assert over == []


def test_the_caller_that_probes_act_as_has_its_whole_quota(conn: psycopg.Connection) -> None:
    assert rows(conn, "select count(*) from ai_usage_logs where user_id = 'user_123'") == [(0,)]


def test_a_cost_is_what_the_build_would_have_logged_for_the_tokens(conn: psycopg.Connection) -> None:
    prices = own_of(load_app("pulsecheck")).prices_per_1k_usd
    calls = rows(conn, "select model_used, prompt_tokens, response_tokens, cost_usd from ai_usage_logs")
    for model, prompt, answer, cost in calls:
        assert cost == AiCall(model, prompt, answer, 1, None).cost_usd
        assert model == "gpt-6-luna" or model in prices


def test_few_calls_fail_and_the_others_are_as_quick_and_as_sure_as_described(conn: psycopg.Connection) -> None:
    ((calls, failed, quickest, slowest, least, most),) = rows(
        conn,
        "select count(*), count(*) filter (where not success), min(response_time_ms), max(response_time_ms),"
        " min(confidence_score), max(confidence_score) from ai_usage_logs",
    )
    assert 0 < failed / calls < 0.05
    assert 300 <= quickest < slowest <= 2500
    assert 0.7 <= least < most <= 0.95


def test_the_trigger_has_summed_up_every_call(conn: psycopg.Connection) -> None:
    ((quota, tokens),) = rows(conn, "select sum(requests_used), sum(tokens_used) from daily_usage_quotas")
    assert rows(conn, "select count(*), sum(total_tokens) from ai_usage_logs") == [(quota, tokens)]


def test_feedback_is_mostly_good_and_refers_to_an_entry_and_a_call_of_the_same_person(
    conn: psycopg.Connection,
) -> None:
    kinds = dict(rows(conn, "select feedback_type, count(*) from ai_feedback group by 1"))
    assert set(kinds) >= {"thumbs_up", "thumbs_down", "detailed"}
    assert 0.65 < kinds["thumbs_up"] / sum(kinds.values()) < 0.85
    astray = rows(
        conn,
        "select given.id from ai_feedback as given left join ai_usage_logs as log on log.id = given.ai_usage_log_id"
        " left join journal_entries as entry on entry.id = given.journal_entry_id"
        " where log.user_id is distinct from given.user_id or entry.user_id is distinct from given.user_id"
        " or not entry.created_at < log.created_at or not log.created_at < given.created_at",
    )
    assert astray == []


def test_what_is_said_names_nobody(conn: psycopg.Connection) -> None:
    texts = [text for (text,) in rows(conn, "select distinct feedback_text from ai_feedback where feedback_text <> ''")]
    names = {part for (name,) in rows(conn, "select name from users") for part in name.split()}
    assert texts
    assert all("@" not in text and not names & set(text.split()) for text in texts)

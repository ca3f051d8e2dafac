"""The production test on the released world: ten of ten by effects, and each way of fooling it lowers the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from services.checks.caps import Purse
from services.checks.score import Score
from services.database.fingerprint import RowHash
from services.incidents.diagnosis import State
from services.verdict import Evidence, Verdict
from tests.apps.pulsecheck.conftest import Pulse
from tests.campaign import sample
from tests.migrated_store import fresh_store

Seen = tuple[Score, dict[str, RowHash], dict[str, RowHash]]
LOG = (
    "insert into ai_usage_logs (user_id, prompt_tokens, response_tokens, total_tokens, model_used, response_time_ms,"
    " confidence_score, cost_usd, context_type) values (%s, %s, %s, %s, 'gpt-6-luna', 300, 0.9, %s, 'pulse')"
)


@pytest.fixture(scope="module")
def seen(after: Pulse) -> Seen:
    # The caller has a quota row of today already: a probe must give it back to the digit.
    after.sql(LOG, "user_123", 10, 10, 20, "0.000006")
    rows = after.rows()
    return after.score(), rows, after.rows()


SILENT = ("api-timeout", "database-down")


@dataclass(frozen=True)
class Broken:
    """The score while a fault was in, and the rows around it."""

    score: Score
    rows_before: dict[str, RowHash]
    rows_after: dict[str, RowHash]

    def seen(self, check: str) -> Evidence:
        return next(one for one in self.score.evidence if one.check_id == check)


@pytest.fixture(scope="module")
def under(after: Pulse, seen: Seen) -> Callable[[str], Broken]:
    """`under(fault)`: looked at once per fault, repaired afterwards."""

    @cache
    def look(fault: str) -> Broken:
        rows = after.rows()
        after.control.break_fault(fault)
        try:
            score = after.score_once() if fault in SILENT else after.score()
        finally:
            after.control.repair(fault)
        return Broken(score, rows, after.rows())

    return look


def verdict_of(score: Score, check: str) -> Verdict:
    return next(one.verdict for one in score.evidence if one.check_id == check)


def test_ten_of_ten_pass(seen: Seen) -> None:
    score = seen[0]
    assert (score.passed, score.of, score.percent) == (10, 10, 100.0), [
        (one.id, one.summary) for one in score.features if one.verdict is not Verdict.PASS
    ]


def test_not_one_row_is_other_than_before(seen: Seen) -> None:
    assert seen[1] == seen[2]


def test_the_released_world_is_healthy(after: Pulse, seen: Seen) -> None:
    found = after.diagnose(seen[0].evidence)
    assert (found.state, found.symptoms, found.causes) == (State.HEALTHY, (), ())


@pytest.mark.parametrize(
    "check",
    [
        "route-inventory",
        "schema-compatible",
        "release-schema",
        "verification-clean",
        "anon-reads-nothing",
        "tiers-match-rule",
        "quota-matches-log",
        "analytics-arrive",
        "cost-matches-log",
        "rate-limit",
        "deployment-state",
        "startup-logs",
    ],
)
def test_the_further_effects_are_there(seen: Seen, check: str) -> None:
    assert verdict_of(seen[0], check) is Verdict.PASS


def test_admin_numbers_that_anybody_can_read_are_a_finding(seen: Seen) -> None:
    assert "admin-public" in {one.check_id for one in seen[0].findings}


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("fault", "lost"),
    sample(
        [
            ("openai-no-quota", {"ai-quality"}),
            ("openai-bad-key", {"ai-quality"}),
            ("openai-model-retired", {"ai-quality"}),
            ("missing-dependency", {"ai-quality", "feedback", "admin"}),
            ("rls-blocks-backend", {"feedback", "admin"}),
        ],
        2,
        seed=20260310,
    ),
)
def test_a_fault_costs_its_features_and_is_the_first_cause(
    after: Pulse, under: Callable[[str], Broken], fault: str, lost: set[str]
) -> None:
    broken = under(fault)
    assert {one.id for one in broken.score.features if one.verdict is Verdict.FAIL} == lost
    assert after.diagnose(broken.score.evidence).causes[0].cause.id == fault
    assert broken.rows_after == broken.rows_before


@pytest.mark.parametrize("fault", sample(SILENT, 1, seed=20260319))
def test_what_hangs_or_is_gone_is_unknown_and_is_the_first_cause(
    after: Pulse, under: Callable[[str], Broken], fault: str
) -> None:
    score = under(fault).score
    silent = {"journal-write", "journal-read", "ai-answers", "ai-quality", "feedback", "admin"}
    assert {one.id for one in score.features if one.verdict is Verdict.UNKNOWN} >= silent
    assert after.diagnose(score.evidence).causes[0].cause.id == fault


def test_feedback_that_is_answered_and_not_stored_does_not_pass(under: Callable[[str], Broken]) -> None:
    found = under("rls-blocks-backend").seen("feedback-stored")
    assert (found.verdict, found.facts["status"], found.facts["stored"]) == (Verdict.FAIL, 200, 0)


def test_zeros_while_there_are_calls_do_not_pass(under: Callable[[str], Broken]) -> None:
    found = under("rls-blocks-backend").seen("admin-numbers")
    assert (found.verdict, found.facts["all_zero"]) == (Verdict.FAIL, True)


def test_the_old_test_would_have_called_canned_answers_and_lost_feedback_ready(
    under: Callable[[str], Broken],
) -> None:
    assert under("rls-blocks-backend").score.old.ready
    assert under("openai-no-quota").score.old.ready


def test_a_broken_admin_route_does_not_count_as_loaded(after: Pulse) -> None:
    after.sql("alter view beta_daily_metrics rename to beta_daily_metrics_gone")
    try:
        found = after.look("admin-numbers", "route-inventory")
    finally:
        after.sql("alter view beta_daily_metrics_gone rename to beta_daily_metrics")
    assert {one.verdict for one in found.values()} == {Verdict.FAIL}
    assert "broken" in found["route-inventory"].summary


def test_a_cost_that_is_not_the_price_of_its_tokens_is_found(after: Pulse) -> None:
    after.sql(LOG, "wrong-price", 1000, 1000, 2000, "0.9")
    try:
        found = after.look("cost-matches-log")["cost-matches-log"]
    finally:
        after.sql("delete from ai_usage_logs where user_id = 'wrong-price'")
    assert (found.verdict, found.facts["wrong"]) == (Verdict.FAIL, 1)


def test_a_quota_that_is_not_the_sum_of_the_log_is_found(after: Pulse) -> None:
    after.sql("insert into daily_usage_quotas (user_id, requests_used) values ('nobody', 3)")
    try:
        found = after.look("quota-matches-log")["quota-matches-log"]
    finally:
        after.sql("delete from daily_usage_quotas where user_id = 'nobody'")
    assert found.verdict is Verdict.FAIL


def test_a_table_that_strangers_can_read_is_found(after: Pulse) -> None:
    after.sql("grant select on user_tier_limits to anon")
    after.sql("create policy open_to_all on user_tier_limits for select to anon using (true)")
    try:
        found = after.look("anon-reads-nothing")["anon-reads-nothing"]
    finally:
        after.sql("drop policy open_to_all on user_tier_limits")
        after.sql("revoke select on user_tier_limits from anon")
    assert found.verdict is Verdict.FAIL
    assert "user_tier_limits" in found.summary


def test_a_column_of_another_type_is_found(after: Pulse) -> None:
    after.sql("alter table users alter column daily_ai_usage type bigint")
    try:
        found = after.look("schema-compatible")["schema-compatible"]
    finally:
        after.sql("alter table users alter column daily_ai_usage type integer")
    assert found.verdict is Verdict.FAIL
    assert "users.daily_ai_usage is bigint" in found.summary


def test_a_limit_is_not_tried_where_it_would_refuse_real_people(after: Pulse, tmp_path: Path) -> None:
    context = after.context(production=True)
    store = fresh_store(tmp_path / "store.sqlite3")
    found = after.look("rate-limit", context=replace(context, purse=Purse(store, context.target)))["rate-limit"]
    store.close()
    assert (found.verdict, found.facts["shared_user"]) == (Verdict.UNKNOWN, True)


def test_no_journal_text_and_no_secret_is_in_any_evidence(after: Pulse, seen: Seen) -> None:
    told = str([one.to_json() for one in seen[0].evidence])
    secrets = [s.get_secret_value() for _, s in after.target if hasattr(s, "get_secret_value")]
    texts = [row[0] for row in after.sql("select distinct content from journal_entries limit 200")]
    assert [one for one in (*secrets, *texts) if one in told] == []


def test_a_call_that_no_limit_stopped_is_found_and_its_row_removed(after: Pulse, seen: Seen) -> None:
    rows = after.rows()
    after.sql("alter table ai_usage_logs disable trigger keep_daily_usage_quota")
    try:
        found = after.look("rate-limit")["rate-limit"]
    finally:
        after.sql("alter table ai_usage_logs enable trigger keep_daily_usage_quota")
    assert (found.verdict, found.facts["status"]) == (Verdict.FAIL, 200)
    assert after.rows() == rows

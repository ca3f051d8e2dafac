"""What tells the builds apart: routes, AI answers, feedback, admin numbers, limits, and what a start-up needs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.pulsecheck.twin import TWIN
from apps.pulsecheck.twin.answers import analysis, real_pulse
from apps.pulsecheck.twin.metrics import health_score
from apps.pulsecheck.twin.usage import AiCall, tier_of
from services.sandbox.images import PROJECT, package_source
from services.sandbox.openai_state import Restriction
from tests.campaign import only_in_full
from tests.services.sandbox.twin_world import ADMIN, HAPPY, JOURNAL, TIRED, TwinWorld

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REPORTS = ("daily", "weekly", "users", "feedback", "costs", "health", "export")


def test_the_route_lists_are_those_of_the_builds(old: TwinWorld, beta: TwinWorld) -> None:
    assert (old.paths(), beta.paths()) == (15, 24)


def test_the_old_build_knows_neither_feedback_nor_admin(old: TwinWorld) -> None:
    entry = old.entry()
    feedback = old.app.post(f"{JOURNAL}/entries/{entry['id']}/feedback", params={"feedback_type": "thumbs_up"})
    assert feedback.status_code == 404
    assert {old.app.get(f"{ADMIN}/{report}").status_code for report in REPORTS} == {404}


def test_the_old_build_says_the_same_to_everybody(old: TwinWorld) -> None:
    assert old.pulse(TIRED) == old.pulse(HAPPY)


def test_the_beta_build_answers_what_was_written(beta: TwinWorld) -> None:
    tired, happy = beta.pulse(TIRED), beta.pulse(HAPPY)
    assert tired["message"] != happy["message"]
    assert "quarterly" in tired["message"].lower()
    assert "paddled" in happy["message"].lower()
    assert tired["confidence_score"] >= 0.7
    assert tired["response_time_ms"] > 50
    assert tired["insight"] is None
    assert not {"action", "question"} & set(tired)


def test_pulse_and_analysis_of_an_entry_are_one_call(beta: TwinWorld) -> None:
    entry = beta.entry(TIRED)
    pulse = beta.app.get(f"{JOURNAL}/entries/{entry['id']}/pulse").json()
    report = beta.app.get(f"{JOURNAL}/entries/{entry['id']}/analysis").json()
    assert report["pulse_message"] == pulse["message"]
    assert report["burnout_risk_level"] == "high"
    assert beta.sql("select count(*) from ai_usage_logs") == [(1,)]


def test_every_call_is_logged_with_the_cost_of_its_tokens(beta: TwinWorld) -> None:
    pulse = beta.pulse()
    ((prompt, response, total, model, took, cost, success),) = beta.sql(
        "select prompt_tokens, response_tokens, total_tokens, model_used, response_time_ms, cost_usd::float, success"
        " from ai_usage_logs"
    )
    assert (total, model, took, success) == (prompt + response, "gpt-6-luna", pulse["response_time_ms"], True)
    assert prompt > 20
    assert cost == pytest.approx(prompt * 0.10 / 1e6 + response * 0.50 / 1e6)


def test_a_failed_call_is_logged_as_one_and_answered_with_200(beta: TwinWorld) -> None:
    beta.world.openai.add("test", Restriction(revoked=True))
    try:
        first, second = beta.pulse(TIRED), beta.pulse(HAPPY)
    finally:
        beta.world.openai.remove("test")
    assert first == second
    assert beta.sql("select distinct success, total_tokens, error_message like '%%401%%' from ai_usage_logs") == [
        (False, 0, True)
    ]


def test_a_canned_answer_is_not_kept_once_the_ai_is_back(beta: TwinWorld) -> None:
    entry = beta.entry()
    path = f"{JOURNAL}/entries/{entry['id']}/pulse"
    beta.world.openai.add("test", Restriction(revoked=True))
    canned = beta.app.get(path).json()
    beta.world.openai.remove("test")
    assert beta.app.get(path).json() != canned


@pytest.mark.campaign
@only_in_full
def test_an_ai_that_hangs_costs_a_true_time_out(beta: TwinWorld) -> None:
    beta.world.openai.latency_s = 30
    began = time.monotonic()
    try:
        said = beta.pulse()
    finally:
        beta.world.openai.latency_s = 0.08
    assert 3.5 < time.monotonic() - began < 8
    assert said["response_time_ms"] == 0


@pytest.mark.parametrize("kind", ["thumbs_up", "thumbs_down", "report", "detailed"])
def test_feedback_is_found_in_the_database(beta: TwinWorld, kind: str) -> None:
    entry = beta.entry()
    answer = beta.app.post(
        f"{JOURNAL}/entries/{entry['id']}/feedback", params={"feedback_type": kind, "feedback_text": "words"}
    )
    assert (answer.status_code, answer.json()["feedback_type"]) == (200, kind)
    stored = beta.sql("select feedback_type, feedback_text from ai_feedback where journal_entry_id = %s", entry["id"])
    assert stored == [(kind, "words")]


@pytest.mark.parametrize("params", [{}, {"feedback_type": "applause"}])
def test_feedback_of_no_known_kind_is_422(beta: TwinWorld, params: Mapping[str, str]) -> None:
    path = f"{JOURNAL}/entries/{beta.entry()['id']}/feedback"
    assert beta.app.post(path, params=dict(params)).status_code == 422


def test_feedback_on_an_entry_there_is_not_is_404(beta: TwinWorld) -> None:
    path = f"{JOURNAL}/entries/11111111-1111-4111-8111-111111111111/feedback"
    assert beta.app.post(path, params={"feedback_type": "report"}).status_code == 404


def test_the_admin_numbers_equal_the_log(beta: TwinWorld) -> None:
    beta.pulse()
    beta.pulse(HAPPY)
    daily = beta.daily().json()
    ((calls, cost),) = beta.sql("select count(*), sum(cost_usd)::float from ai_usage_logs")
    assert daily["total_ai_interactions"] == calls == 2
    assert daily["total_daily_cost"] == pytest.approx(cost)
    costs = beta.app.get(f"{ADMIN}/costs").json()
    assert costs["cost_summary"]["total_cost"] == pytest.approx(cost, abs=1e-6)
    weekly = beta.app.get(f"{ADMIN}/weekly").json()
    assert sum(week["total_ai_interactions"] for week in weekly["weekly_metrics"]) == 2


def test_a_day_without_calls_is_all_zeros(beta: TwinWorld) -> None:
    daily = beta.app.get(f"{ADMIN}/daily", params={"date_filter": "2020-01-01"}).json()
    assert (daily["metric_date"], daily["total_ai_interactions"], daily["total_daily_cost"]) == ("2020-01-01", 0, 0)
    assert beta.app.get(f"{ADMIN}/daily", params={"date_filter": "yesterday"}).status_code == 422


def test_every_admin_report_is_public_and_has_its_keys(beta: TwinWorld) -> None:
    beta.pulse()
    keys = {
        "weekly": {"weeks_included", "weekly_metrics"},
        "users": {"summary", "users"},
        "feedback": {"period_days", "overall_sentiment", "detailed_feedback"},
        "costs": {"period_days", "cost_summary", "daily_breakdown"},
        "health": {"health_score", "last_24h_metrics", "user_tier_distribution", "status"},
    }
    for report, expected in keys.items():
        answer = beta.app.get(f"{ADMIN}/{report}")
        assert answer.status_code == 200
        assert set(answer.json()) == expected
    assert "note" in beta.app.get(f"{ADMIN}/export", params={"format": "csv"}).json()


def test_users_are_sorted_by_a_column_of_the_view(beta: TwinWorld) -> None:
    users = beta.app.get(f"{ADMIN}/users", params={"sort_by": "total_entries", "limit": 5}).json()["users"]
    counts = [one["total_entries"] for one in users]
    assert counts == sorted(counts, reverse=True)
    assert len(users) == 5
    assert beta.app.get(f"{ADMIN}/users", params={"sort_by": "no_column"}).status_code == 400


def test_reset_usage_answers_200_and_does_nothing(beta: TwinWorld) -> None:
    beta.pulse()
    before = beta.sql("select requests_used from daily_usage_quotas")
    assert beta.app.post(f"{ADMIN}/reset-usage").status_code == 200
    assert beta.sql("select requests_used from daily_usage_quotas") == before


def test_the_daily_limit_of_the_tier_is_429_with_a_time_to_wait(beta: TwinWorld) -> None:
    beta.sql("insert into ai_usage_logs (user_id, cost_usd) select 'user_123', 0 from generate_series(1, 20)")
    answer = beta.app.get(f"{JOURNAL}/entries/{beta.entry()['id']}/pulse")
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["type"]) == (429, "rate_limit")
    assert 0 < detail["retry_after"] <= 86_400
    assert "20" in detail["message"]
    beta.forget_usage()
    assert beta.app.get(f"{JOURNAL}/entries/{beta.entry()['id']}/pulse").status_code == 200


@pytest.mark.parametrize(
    ("user", "tier"),
    [
        ({"is_premium": True, "tier_expires_at": None, "age": 90}, "premium"),
        ({"is_premium": True, "tier_expires_at": NOW + timedelta(days=1), "age": 90}, "premium"),
        ({"is_premium": True, "tier_expires_at": NOW - timedelta(days=1), "age": 90}, "free"),
        ({"is_premium": False, "tier_expires_at": None, "age": 29}, "beta"),
        ({"age": 31}, "free"),
    ],
)
def test_the_tier_rule(user: dict[str, Any], tier: str) -> None:
    expires = user.get("tier_expires_at")
    row = {
        "is_premium": user.get("is_premium"),
        "tier_expires_at": expires.isoformat() if expires else None,
        "created_at": (NOW - timedelta(days=user["age"])).isoformat(),
    }
    assert tier_of(row, NOW) == tier


def test_the_caller_has_the_tier_that_the_release_tells_of_the_callers_row(beta: TwinWorld) -> None:
    """The caller is a person of users, who joined twelve days ago. Its alias user_123 is no id of users: asked with
    that, the release knows nobody and says free."""
    ((row_id, told),) = beta.sql(
        "select known.id::text, told.tier from users as known cross join lateral get_user_tier_info(known.id::text)"
        " as told where known.email = 'user_123@example.com'"
    )
    assert beta.app.get("/api/v1/users/me").json()["id"] == row_id
    entry = beta.entry()
    beta.app.post(f"{JOURNAL}/entries/{entry['id']}/feedback", params={"feedback_type": "report"})
    stored = beta.sql("select user_tier from ai_feedback where journal_entry_id = %s", entry["id"])
    assert stored == [(told,)] == [("beta",)]


def test_without_a_key_it_starts_and_answers_with_canned_words(beta: TwinWorld) -> None:
    beta.do(_variables, beta, "OPENAI_API_KEY", None)
    try:
        assert beta.pulse(TIRED) == beta.pulse(HAPPY)
        ((message,),) = beta.sql("select distinct error_message from ai_usage_logs")
        assert "OPENAI_API_KEY" in message
    finally:
        beta.do(_variables, beta, "OPENAI_API_KEY", beta.world.keys.openai_key)
    assert beta.pulse(TIRED) != beta.pulse(HAPPY)


async def _variables(beta: TwinWorld, name: str, value: str | None) -> None:
    hosting = beta.world.hosting
    if value is None:
        del hosting.variables[name]
    else:
        hosting.variables[name] = value
    assert hosting.active is not None
    hosting.redeploy(hosting.active.id)
    await hosting.rest()


def test_an_unknown_model_has_no_price_and_no_cost_of_zero() -> None:
    assert AiCall("gpt-none", 100, 100, 5, 0.9).cost_usd is None


@pytest.mark.parametrize(
    ("errors", "took", "confidence", "score"), [(0, 100, 0.9, 100), (6, 100, 0.9, 80), (6, 3001, 0.5, 50)]
)
def test_the_health_score_is_the_teams_formula(errors: float, took: float, confidence: float, score: int) -> None:
    day = {"error_rate_percent": errors, "avg_response_time_ms": took, "avg_confidence_score": confidence}
    assert health_score(day) == score


@pytest.mark.parametrize(("levels", "risk"), [((2, 2, 9), "high"), ((5, 5, 5), "moderate"), ((9, 9, 1), "low")])
def test_the_analysis_follows_the_levels(levels: tuple[int, int, int], risk: str) -> None:
    entry = dict(zip(("mood_level", "energy_level", "stress_level"), levels, strict=True))
    assert analysis(entry, real_pulse(entry, "words", 90, 20))["burnout_risk_level"] == risk


ENVIRONMENT = {
    "SUPABASE_URL": "http://127.0.0.1:9",
    "SUPABASE_ANON_KEY": "anon",
    "OPENAI_API_KEY": "sk-none",
    "SECRET_KEY": "secret",
    "PORT": "1",
}


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    """An image of the beta build, as the platform makes it."""
    build = TWIN.build(TWIN.pushed)
    for name in build.requires:
        (tmp_path / name).symlink_to(package_source(build, name))
    yield tmp_path


def start(image: Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    merged = {**ENVIRONMENT, "PATH": os.environ["PATH"], "PYTHONPATH": str(image), **changes}
    environment = {name: value for name, value in merged.items() if value is not None}
    command = [sys.executable, "-m", TWIN.build(TWIN.pushed).module]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("package", ["tiktoken", "asyncpg"])
def test_without_a_package_the_beta_build_ends_with_the_real_import_error(image: Path, package: str) -> None:
    (image / package).unlink()
    ended = start(image)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"ModuleNotFoundError: No module named '{package}'"


@pytest.mark.parametrize("name", ["SUPABASE_URL", "SUPABASE_ANON_KEY", "SECRET_KEY"])
def test_without_a_variable_the_beta_build_ends_and_names_it(image: Path, name: str) -> None:
    ended = start(image, **{name: None})
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"RuntimeError: required environment variables are not set: {name}"


def test_without_supabase_the_beta_build_ends(image: Path) -> None:
    ended = start(image)
    assert ended.returncode == 1
    assert "no answer from Supabase" in ended.stderr.splitlines()[-1]


def test_before_the_release_the_beta_build_ended_for_want_of_its_tables(old: TwinWorld) -> None:
    failed = old.world.hosting.deployments[-1]
    assert old.history() == [("old", "SUCCESS"), ("beta", "FAILED")]
    assert "user_tier_limits" in failed.runtime_log[-1].message


def test_a_start_up_takes_well_under_a_second_of_work(old: TwinWorld) -> None:
    serving = old.world.hosting.active
    assert serving is not None
    assert serving.process is not None
    ticks = Path(f"/proc/{serving.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    assert sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") < 3


def test_the_address_is_answered_over_http_by_another_process(old: TwinWorld) -> None:
    serving = old.world.hosting.active
    assert serving is not None
    direct = httpx.get(f"http://127.0.0.1:{serving.port}/health").json()
    assert direct == old.app.get("/health").json()

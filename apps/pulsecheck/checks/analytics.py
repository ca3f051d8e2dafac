"""Checks of the numbers: what admins are told against our own count, quotas against the log, tiers against the rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.rows import dict_row

from apps.pulsecheck.checks.api import NOT_LOADED
from apps.pulsecheck.client import PulseCheck, one_object
from apps.pulsecheck.definition import own_of
from apps.pulsecheck.probe import Probe, Row, probing, relation_exists
from services.checks.context import CheckContext
from services.checks.kinds import Compared, answered, missing_keys, numbers_agree, rows_that_should_not_be
from services.clients.http import Answer
from services.verdict import Finding, Verdict

NUMBERS = {
    "daily_active_users": "count(distinct user_id)",
    "total_ai_interactions": "count(*)",
    "total_daily_cost": "coalesce(sum(cost_usd), 0)",
    "error_count": "count(*) filter (where not success)",
}
COUNTS = (
    "select (now() at time zone 'UTC')::date::text as day, "
    + ", ".join(f"{sql} as {name}" for name, sql in NUMBERS.items())
    + " from public.ai_usage_logs where created_at >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'"
)
CENT = 0.005


def admin_numbers(context: CheckContext) -> Finding:
    """The day's admin numbers equal our own count of the log, marked calls of ours among them: no zero can pass."""
    with probing(context) as probe:
        first = probe.api.admin_daily()
        if first.status in NOT_LOADED:
            facts = {"status": first.status}
            return Finding(
                Verdict.FAIL, f"The admin route is not loaded ({first.status}).", facts, link="railway_service"
            )
        refused = _broken(probe.api)
        if refused is not None:
            return refused
        if not probe.has_log:
            return Finding(Verdict.FAIL, "Admin numbers are answered, but there is no log to count.", {"status": 200})
        probe.insert_log_rows(f"{context.marker}-a", 2, tokens=120, cost_usd="0.03")
        probe.insert_log_rows(f"{context.marker}-b", 1, tokens=0, cost_usd="0", success=False)
        return _compared(probe)


def _broken(api: PulseCheck) -> Finding | None:
    """The finding for the first admin answer that is not a 200 with the right shape; None where all are."""
    calls: Mapping[str, tuple[Any, tuple[str, ...]]] = {
        "daily": (api.admin_daily, ("daily_active_users", "total_ai_interactions", "total_daily_cost")),
        "weekly": (api.admin_weekly, ("weeks_included", "weekly_metrics")),
        "users": (api.admin_users, ("summary", "users")),
        "feedback": (api.admin_feedback, ("period_days", "overall_sentiment")),
        "costs": (api.admin_costs, ("period_days", "cost_summary")),
        "health": (api.admin_health, ("health_score", "last_24h_metrics")),
    }
    for name, (call, keys) in calls.items():
        answer: Answer = call()
        finding = answered(answer, f"Admin {name}")
        if finding.verdict is not Verdict.PASS:
            return Finding(finding.verdict, finding.summary, finding.facts, answer.body, link="railway_logs")
        missing = missing_keys(answer.json(), keys)
        if missing:
            facts = {"status": answer.status, "missing": list(missing)}
            return Finding(Verdict.FAIL, f"Admin {name} lacks {', '.join(missing)}.", facts, answer.body)
    return None


def _compared(probe: Probe) -> Finding:
    before = probe.rows(COUNTS)[0]
    answer = probe.api.admin_daily(before["day"])
    after = probe.rows(COUNTS)[0]
    told = one_object(answer.expect())
    pairs = [
        Compared(
            name,
            min(float(before[name]), float(after[name])),
            max(float(before[name]), float(after[name])),
            _number(told.get(name)),
            CENT if name == "total_daily_cost" else 0.0,
        )
        for name in NUMBERS
    ]
    finding = numbers_agree(pairs, f"Admin numbers of {before['day']}")
    facts = {**finding.facts, "status": answer.status, "removed": True}
    if finding.verdict is Verdict.FAIL and all(pair.theirs == 0 for pair in pairs):
        said = (
            f"Admin numbers are all zero, while we count {before['total_ai_interactions']} AI calls: rows are hidden."
        )
        return Finding(Verdict.FAIL, said, {**facts, "all_zero": True}, link="railway_variables")
    return Finding(finding.verdict, finding.summary, facts, link="railway_logs")


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def quota_matches_log(context: CheckContext) -> Finding:
    """daily_usage_quotas holds, per user and UTC day of the last week, exactly the sums of the usage log."""
    sql = """
        with log as (
            select user_id::text as who, (created_at at time zone 'UTC')::date as day, count(*) as calls,
                   coalesce(sum(total_tokens), 0) as tokens
            from public.ai_usage_logs where created_at > now() - interval '7 days' group by 1, 2),
        quota as (
            select user_id::text as who, usage_date as day, requests_used as calls, tokens_used as tokens
            from public.daily_usage_quotas where usage_date > (now() at time zone 'UTC')::date - 7)
        select coalesce(log.day, quota.day)::text as day, log.calls, quota.calls as counted
        from log full join quota on log.who = quota.who and log.day = quota.day
        where coalesce(log.day, quota.day) > (now() at time zone 'UTC')::date - 7
          and (log.calls is distinct from quota.calls or log.tokens is distinct from quota.tokens)
        limit 100"""
    with context.database() as conn:
        if not (relation_exists(conn, "ai_usage_logs") and relation_exists(conn, "daily_usage_quotas")):
            return Finding(Verdict.FAIL, "There are no quotas: the release's tables are missing.", {"rows": 0})
        rows = conn.cursor(row_factory=dict_row).execute(sql).fetchall()
    return rows_that_should_not_be(
        rows,
        "Every quota of the last seven days equals the log.",
        lambda row: f"on {row['day']} the log has {row['calls'] or 0} calls, the quota {row['counted'] or 0}",
    )


def tiers_match_rule(context: CheckContext) -> Finding:
    """get_user_tier_info, really called for every user, says what the rule says: premium, else beta, else free."""
    with context.database(as_owner=True) as conn:
        cursor = conn.cursor(row_factory=dict_row)
        found = cursor.execute(
            "select to_regprocedure('public.get_user_tier_info(text)') is not null as there"
        ).fetchone()
        if not found or not found["there"]:
            return Finding(
                Verdict.FAIL, "There is no function get_user_tier_info(text) to ask for a tier.", {"users": 0}
            )
        sql = """
            select rule.tier as rule, told.tier as told,
                limits.daily_ai_limit as limit_rule, told.daily_ai_limit as limit_told
            from public.users as known
            cross join lateral (select case
                when known.is_premium and (known.tier_expires_at is null or known.tier_expires_at > now())
                then 'premium'
                when known.created_at > now() - interval '30 days' then 'beta' else 'free' end as tier) as rule
            left join public.user_tier_limits as limits on limits.tier_name = rule.tier
            left join lateral public.get_user_tier_info(known.id::text) as told on true"""
        rows: list[Row] = cursor.execute(sql).fetchall()
    wrong = [r for r in rows if r["rule"] != r["told"] or r["limit_rule"] != r["limit_told"]]
    promised = {tier.name: tier.daily_ai_limit for tier in own_of(context.app).tiers}
    off = sorted(
        {r["rule"] for r in rows if r["limit_rule"] is not None and r["limit_rule"] != promised.get(r["rule"])}
    )
    facts = {"users": len(rows), "wrong": len(wrong), "limits_off": off}
    if wrong:
        first = wrong[0]
        said = f"{len(wrong)} of {len(rows)} users: the rule says {first['rule']}, the function {first['told']}."
        return Finding(Verdict.FAIL, said, facts)
    if off:
        return Finding(Verdict.FAIL, f"The limits of {', '.join(off)} are not those of the release.", facts)
    if not rows:
        return Finding(Verdict.UNKNOWN, "There are no users whose tier could be compared.", facts)
    return Finding(Verdict.PASS, f"The tier of all {len(rows)} users is what the rule says.", facts)

"""Checks of the release's own sums: quotas against the usage log, and each user's tier against the rule."""

from __future__ import annotations

import psycopg
from psycopg.rows import dict_row

from apps.pulsecheck.definition import own_of
from apps.pulsecheck.probe import Row, relation_exists
from services.checks.context import CheckContext
from services.checks.kinds import rows_that_should_not_be
from services.verdict import Finding, Verdict

TIER_FUNCTION = "get_user_tier_info"
ITS_OWN_FAULT = ("42", "22", "P0")  # classes of SQLSTATE: what it asks for, the values it meets, what it raises


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
            return Finding(Verdict.FAIL, f"There is no function {TIER_FUNCTION}(text) to ask for a tier.", {"users": 0})
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
        try:
            rows: list[Row] = cursor.execute(sql).fetchall()
        except psycopg.Error as error:
            # Raised inside the function, by its own words: nobody is told a tier, which is no trouble of our asking.
            if TIER_FUNCTION not in (error.diag.context or "") or not (error.sqlstate or "").startswith(ITS_OWN_FAULT):
                raise
            said = f"{TIER_FUNCTION} fails when it is called ({error.sqlstate}), so nobody is told a tier."
            return Finding(Verdict.FAIL, said, {"users": 0, "wrong": 0, "code": error.sqlstate})
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

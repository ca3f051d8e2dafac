"""The SQL of the faults of PulseCheck's tables; {name} stands for a relation wherever it is just now."""

from __future__ import annotations

RELATIONS = (
    "journal_entries",
    "ai_usage_logs",
    "ai_feedback",
    "daily_usage_quotas",
    "beta_user_engagement",
)
RETYPED = "energy_level"

CHECKS_OF_COLUMN = """
SELECT c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint AS c
WHERE c.conrelid = %s::regclass AND c.contype = 'c'
  AND c.conkey = (SELECT array[attnum] FROM pg_attribute WHERE attrelid = c.conrelid AND attname = %s)
ORDER BY 1
"""

VIEWS_ON = """
SELECT DISTINCT v.relname FROM pg_depend AS d
JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class AS v ON v.oid = r.ev_class AND v.relkind = 'v'
WHERE d.refobjid = to_regclass(%s) AND v.relnamespace = 'public'::regnamespace ORDER BY 1
"""

READABLE = """
ALTER TABLE {ai_usage_logs} DISABLE ROW LEVEL SECURITY;
ALTER TABLE {ai_feedback} DISABLE ROW LEVEL SECURITY;
ALTER TABLE {daily_usage_quotas} DISABLE ROW LEVEL SECURITY;
GRANT SELECT ON {ai_usage_logs}, {ai_feedback}, {daily_usage_quotas} TO anon
"""
NOT_READABLE = """
REVOKE SELECT ON {ai_usage_logs}, {ai_feedback}, {daily_usage_quotas} FROM anon;
ALTER TABLE {ai_usage_logs} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {ai_feedback} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {daily_usage_quotas} ENABLE ROW LEVEL SECURITY
"""

SIGN_UP_BROKEN = """
CREATE FUNCTION public.handle_new_user() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public
    AS $$ BEGIN
        INSERT INTO public.users (id, email, name, subscription_level)
        VALUES (NEW.id, NEW.email, coalesce(NEW.raw_user_meta_data ->> 'name', NEW.email), 'free');
        RETURN NEW;
    END $$;
CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users
    FOR EACH ROW EXECUTE FUNCTION public.handle_new_user()
"""
SIGN_UP_MENDED = """
DROP TRIGGER on_auth_user_created ON auth.users;
DROP FUNCTION public.handle_new_user()
"""

_TIER_FUNCTION = """
CREATE OR REPLACE FUNCTION public.get_user_tier_info(p_user_id text)
RETURNS TABLE (
    user_id text, tier text, daily_ai_limit integer, ai_used_today integer, context_depth integer,
    summary_access boolean, max_tokens_per_request integer
)
"""
# The branch for those who pay was lost when the function was written anew.
TIERS_WRONG = (
    _TIER_FUNCTION
    + """
LANGUAGE sql STABLE SET search_path = ''
AS $function$
    WITH person AS (
        SELECT asked.user_id,
            CASE WHEN known.created_at > now() - interval '30 days' THEN 'beta' ELSE 'free' END AS tier
        FROM (SELECT p_user_id AS user_id) AS asked
        LEFT JOIN public.users AS known ON known.id::text = asked.user_id
    )
    SELECT person.user_id, person.tier, limits.daily_ai_limit,
        (SELECT count(*)::integer FROM public.ai_usage_logs AS log
         WHERE log.user_id = person.user_id
           AND log.created_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'),
        limits.context_depth, limits.summary_access, limits.max_tokens_per_request
    FROM person LEFT JOIN public.user_tier_limits AS limits ON limits.tier_name = person.tier
$function$
"""
)
# varchar(50) where text is declared: 42804, and only when somebody calls it.
TIER_FUNCTION_BROKEN = (
    _TIER_FUNCTION
    + """
LANGUAGE plpgsql STABLE SET search_path = ''
AS $function$
BEGIN
    RETURN QUERY
    SELECT p_user_id::varchar(50), limits.tier_name::varchar(50), limits.daily_ai_limit, 0, limits.context_depth,
        limits.summary_access, limits.max_tokens_per_request
    FROM public.user_tier_limits AS limits WHERE limits.tier_name = 'free';
END
$function$
"""
)

VIEW = "CREATE OR REPLACE VIEW {beta_user_engagement} WITH (security_invoker = true) AS "
# Entries joined with calls: each call is counted once for every entry of its author.
FAN_OUT = """
SELECT
    known.id::text AS user_id,
    CASE
        WHEN known.is_premium AND (known.tier_expires_at IS NULL OR known.tier_expires_at > now()) THEN 'premium'
        WHEN known.created_at > now() - interval '30 days' THEN 'beta'
        ELSE 'free'
    END AS tier,
    count(entry.id) AS total_entries,
    count(log.id) AS total_ai_interactions,
    coalesce(sum(log.total_tokens), 0)::bigint AS total_tokens,
    sum(log.cost_usd) AS total_cost,
    count(DISTINCT (log.created_at AT TIME ZONE 'UTC')::date) AS active_ai_days,
    (SELECT count(*) FROM {ai_feedback} AS given WHERE given.user_id = known.id::text) AS total_feedback,
    (SELECT count(*) FROM {ai_feedback} AS given
     WHERE given.user_id = known.id::text AND given.feedback_type = 'thumbs_up') AS positive_feedback,
    greatest(max(entry.created_at), max(log.created_at)) AS last_activity
FROM public.users AS known
LEFT JOIN {journal_entries} AS entry ON entry.user_id = known.id::text
LEFT JOIN {ai_usage_logs} AS log ON log.user_id = known.id::text
GROUP BY known.id
"""

# What was used since the UTC midnight of three days ago: of the calls, the feedback and the quotas.
SINCE = "(date_trunc('day', now() AT TIME ZONE 'UTC') - interval '3 days')"
RECENT = {
    "ai_feedback": f"created_at >= {SINCE} AT TIME ZONE 'UTC'",
    "ai_usage_logs": f"created_at >= {SINCE} AT TIME ZONE 'UTC'",
    "daily_usage_quotas": f"usage_date >= {SINCE}::date",
}

TRIGGER_IS_ON = """
SELECT bool_and(tgenabled = 'O') FROM pg_trigger
WHERE tgrelid = to_regclass('public.ai_usage_logs') AND NOT tgisinternal
"""
# Quotas as the trigger would have kept them; a row that is right is not touched.
BALANCE = """
INSERT INTO {daily_usage_quotas} AS quota (user_id, usage_date, requests_used, tokens_used, cost_usd)
SELECT log.user_id, (log.created_at AT TIME ZONE 'UTC')::date, count(*), sum(log.total_tokens),
       trim_scale(coalesce(sum(log.cost_usd), 0))
FROM {ai_usage_logs} AS log GROUP BY 1, 2
ON CONFLICT (user_id, usage_date) DO UPDATE
SET requests_used = excluded.requests_used, tokens_used = excluded.tokens_used, cost_usd = excluded.cost_usd,
    updated_at = now()
WHERE (quota.requests_used, quota.tokens_used, quota.cost_usd)
    IS DISTINCT FROM (excluded.requests_used, excluded.tokens_used, excluded.cost_usd);
DELETE FROM {daily_usage_quotas} AS quota WHERE NOT EXISTS (
    SELECT FROM {ai_usage_logs} AS log
    WHERE log.user_id = quota.user_id AND (log.created_at AT TIME ZONE 'UTC')::date = quota.usage_date)
"""

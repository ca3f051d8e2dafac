-- Takes away what the release made, in the order in which it depends on each other. Without CASCADE: where something of
-- somebody else's depends on it, the server says what, and nothing is taken.

DROP VIEW IF EXISTS public.beta_feedback_analysis;
DROP VIEW IF EXISTS public.beta_user_engagement;
DROP VIEW IF EXISTS public.beta_daily_metrics;

DROP TABLE IF EXISTS public.ai_feedback;
DROP TABLE IF EXISTS public.daily_usage_quotas;
DROP TABLE IF EXISTS public.ai_usage_logs;
DROP TABLE IF EXISTS public.journal_summaries;
DROP TABLE IF EXISTS public.user_tier_limits;

DROP FUNCTION IF EXISTS public.probe_beta_release();
DROP FUNCTION IF EXISTS public.keep_daily_usage_quota();
DROP FUNCTION IF EXISTS public.reset_daily_usage_counters();
DROP FUNCTION IF EXISTS public.get_user_tier_info(text);

ALTER TABLE IF EXISTS public.users
    DROP COLUMN IF EXISTS daily_usage_reset_at,
    DROP COLUMN IF EXISTS daily_ai_usage,
    DROP COLUMN IF EXISTS tier_expires_at,
    DROP COLUMN IF EXISTS is_premium;

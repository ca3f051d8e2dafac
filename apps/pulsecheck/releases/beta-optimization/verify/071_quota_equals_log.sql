-- Proves that daily_usage_quotas is what ai_usage_logs adds up to, for every user and UTC day.
-- A row shows a day of a user on which the two differ.
WITH logged AS (
    SELECT log.user_id, (log.created_at AT TIME ZONE 'UTC')::date AS usage_date, count(*) AS requests,
           coalesce(sum(log.total_tokens), 0) AS tokens, coalesce(sum(log.cost_usd), 0) AS cost
    FROM public.ai_usage_logs AS log
    WHERE log.user_id IS NOT NULL
    GROUP BY 1, 2
)
SELECT
    coalesce(logged.user_id, quota.user_id) AS user_id, coalesce(logged.usage_date, quota.usage_date) AS usage_date,
    logged.requests AS requests_logged, quota.requests_used, logged.tokens AS tokens_logged, quota.tokens_used,
    logged.cost AS cost_logged, quota.cost_usd
FROM logged
FULL JOIN public.daily_usage_quotas AS quota
    ON quota.user_id = logged.user_id AND quota.usage_date = logged.usage_date
WHERE (coalesce(logged.requests, 0), coalesce(logged.tokens, 0), coalesce(logged.cost, 0))
    IS DISTINCT FROM (quota.requests_used, quota.tokens_used, quota.cost_usd)
ORDER BY 2, 1;

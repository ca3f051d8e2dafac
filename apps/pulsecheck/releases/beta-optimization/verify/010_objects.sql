-- Proves that every table, view, function and trigger of the release is there.
-- A row names one that is not, or not as the kind of object it should be.
SELECT expected.kind, expected.name, 'is not there' AS problem
FROM (VALUES
    ('table', 'user_tier_limits'), ('table', 'journal_summaries'), ('table', 'ai_usage_logs'), ('table', 'ai_feedback'),
    ('table', 'daily_usage_quotas'), ('view', 'beta_daily_metrics'), ('view', 'beta_user_engagement'),
    ('view', 'beta_feedback_analysis'), ('function', 'get_user_tier_info(text)'),
    ('function', 'reset_daily_usage_counters()'), ('function', 'keep_daily_usage_quota()'),
    ('function', 'probe_beta_release()'), ('trigger', 'keep_daily_usage_quota')
) AS expected (kind, name)
WHERE NOT CASE expected.kind
    WHEN 'function' THEN to_regprocedure('public.' || expected.name) IS NOT NULL
    WHEN 'trigger' THEN EXISTS (
        SELECT 1 FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = to_regclass('public.ai_usage_logs') AND t.tgname = expected.name AND t.tgenabled IN ('O', 'A'))
    ELSE EXISTS (
        SELECT 1 FROM pg_catalog.pg_class AS c
        WHERE c.oid = to_regclass('public.' || expected.name)
          AND c.relkind IN ('r', 'p') = (expected.kind = 'table') AND (c.relkind = 'v') = (expected.kind = 'view'))
END
ORDER BY 1, 2;

-- Proves that row level security is on for every table of the release.
-- A row names a table whose rows are open to every role that has a grant on it.
SELECT c.relname AS table_name, 'row level security is off' AS problem
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relrowsecurity
  AND c.relname IN ('user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback', 'daily_usage_quotas')
ORDER BY 1;

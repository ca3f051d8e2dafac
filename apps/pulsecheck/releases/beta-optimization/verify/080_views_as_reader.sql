-- Proves that the views run with their reader's rights, so that none shows what row level security hides.
-- A row names a view that does not.
SELECT c.relname AS view_name, 'security_invoker is off' AS problem
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace
  AND c.relname IN ('beta_daily_metrics', 'beta_user_engagement', 'beta_feedback_analysis')
  AND NOT coalesce((SELECT option_value::boolean FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker'),
                   false)
ORDER BY 1;

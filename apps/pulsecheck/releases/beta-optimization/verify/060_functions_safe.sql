-- Proves that every function has a fixed search_path and runs with its caller's rights.
-- A row names a function through which a caller could be made to run, or be given, something else.
SELECT
    p.oid::regprocedure::text AS function_name,
    CASE WHEN p.prosecdef THEN 'runs with its owner''s rights' ELSE 'has no fixed search_path' END AS problem
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = 'public'::regnamespace
  AND p.proname IN ('get_user_tier_info', 'reset_daily_usage_counters', 'keep_daily_usage_quota', 'probe_beta_release')
  AND (p.prosecdef OR NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%'))
ORDER BY 1;

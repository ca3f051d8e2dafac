-- Proves by the rights in the catalog that anon can do nothing with the release, and that a signed-in user can only read tables.
-- A row names a role, an object and a right that it must not have.
WITH objects AS (
    SELECT c.oid, c.relname, c.relkind = 'v' AS is_view
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relname IN ('user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback', 'daily_usage_quotas',
                        'beta_daily_metrics', 'beta_user_engagement', 'beta_feedback_analysis')
)
SELECT r.rolname AS role_name, objects.relname::text AS object_name, given.privilege
FROM objects
CROSS JOIN pg_catalog.pg_roles AS r
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) AS given (privilege)
WHERE r.rolname IN ('anon', 'authenticated')
  AND NOT (r.rolname = 'authenticated' AND given.privilege = 'SELECT' AND NOT objects.is_view)
  AND (has_table_privilege(r.oid, objects.oid, given.privilege)
       OR (given.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
           AND has_any_column_privilege(r.oid, objects.oid, given.privilege)))
UNION ALL
SELECT r.rolname, p.oid::regprocedure::text, 'EXECUTE'
FROM pg_catalog.pg_proc AS p
CROSS JOIN pg_catalog.pg_roles AS r
WHERE p.pronamespace = 'public'::regnamespace AND r.rolname IN ('anon', 'authenticated')
  AND p.proname IN ('get_user_tier_info', 'reset_daily_usage_counters', 'keep_daily_usage_quota', 'probe_beta_release')
  AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
ORDER BY 1, 2, 3;

-- Proves that the backend's service_role has every right that the app, the views and the functions need.
-- A row names a right that is missing. Where there is no service_role, there is nothing to prove.
SELECT needed.object_name, needed.privilege, 'service_role lacks it' AS problem
FROM (
    SELECT t.name AS object_name, p.privilege
    FROM (VALUES ('user_tier_limits'), ('journal_summaries'), ('ai_usage_logs'), ('ai_feedback'),
                 ('daily_usage_quotas')) AS t (name)
    CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p (privilege)
    UNION ALL
    SELECT v.name, 'SELECT'
    FROM (VALUES ('beta_daily_metrics'), ('beta_user_engagement'), ('beta_feedback_analysis')) AS v (name)
) AS needed
JOIN pg_catalog.pg_roles AS r ON r.rolname = 'service_role'
WHERE NOT has_table_privilege(r.oid, to_regclass('public.' || needed.object_name), needed.privilege)
UNION ALL
SELECT needed.table_name || '.' || needed.column_name, needed.privilege, 'service_role lacks it'
FROM (VALUES
    ('users', 'id', 'SELECT'), ('users', 'created_at', 'SELECT'), ('users', 'is_premium', 'SELECT'),
    ('users', 'tier_expires_at', 'SELECT'), ('users', 'daily_usage_reset_at', 'SELECT'),
    ('users', 'daily_ai_usage', 'UPDATE'), ('users', 'daily_usage_reset_at', 'UPDATE'),
    ('journal_entries', 'user_id', 'SELECT'), ('journal_entries', 'created_at', 'SELECT')
) AS needed (table_name, column_name, privilege)
JOIN pg_catalog.pg_roles AS r ON r.rolname = 'service_role'
WHERE NOT has_column_privilege(r.oid, to_regclass('public.' || needed.table_name), needed.column_name, needed.privilege)
UNION ALL
SELECT needed.name, 'EXECUTE', 'service_role lacks it'
FROM (VALUES ('get_user_tier_info(text)'), ('reset_daily_usage_counters()')) AS needed (name)
JOIN pg_catalog.pg_roles AS r ON r.rolname = 'service_role'
WHERE NOT has_function_privilege(r.oid, to_regprocedure('public.' || needed.name), 'EXECUTE')
ORDER BY 1, 2;

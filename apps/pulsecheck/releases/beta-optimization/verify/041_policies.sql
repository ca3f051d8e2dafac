-- Proves that the tables of the release have its policies and no others: policies add up, so a foreign one may open a table.
-- A row names a policy that is missing, says something else, or is not the release's.
WITH expected AS (
    SELECT t.name AS table_name, 'beta_service_role_all' AS policy_name, 'service_role' AS role_name, '*' AS command
    FROM (VALUES ('user_tier_limits'), ('journal_summaries'), ('ai_usage_logs'), ('ai_feedback'),
                 ('daily_usage_quotas')) AS t (name)
    UNION ALL
    SELECT t.name, 'beta_read_own_rows', 'authenticated', 'r'
    FROM (VALUES ('journal_summaries'), ('ai_usage_logs'), ('ai_feedback'), ('daily_usage_quotas')) AS t (name)
    WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_proc AS f JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
                  WHERE n.nspname = 'auth' AND f.proname = 'uid' AND f.pronargs = 0)
    UNION ALL
    SELECT 'user_tier_limits', 'beta_read_limits', 'authenticated', 'r'
),
wanted AS (
    SELECT expected.*, r.oid AS role FROM expected JOIN pg_catalog.pg_roles AS r ON r.rolname = expected.role_name
),
found AS (
    SELECT c.relname AS table_name, p.polname AS policy_name, p.polroles, p.polcmd,
           pg_get_expr(p.polqual, p.polrelid) AS rule
    FROM pg_catalog.pg_policy AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relname IN ('user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback', 'daily_usage_quotas')
      -- The role that only reads for the checks, column by column, has a policy of its own.
      AND NOT (p.polcmd = 'r' AND EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS r
                                          WHERE p.polroles = ARRAY[r.oid] AND r.rolname ~ '^ops_reader(_|$)'
                                            AND p.polname = r.rolname || '_reads'))
)
SELECT
    coalesce(wanted.table_name, found.table_name::text) AS table_name,
    coalesce(wanted.policy_name, found.policy_name::text) AS policy_name,
    CASE
        WHEN found.policy_name IS NULL THEN 'is missing'
        WHEN wanted.policy_name IS NULL THEN 'is not the release''s'
        ELSE 'says something else: ' || coalesce(found.rule, 'no rule')
    END AS problem
FROM wanted
FULL JOIN found ON found.table_name = wanted.table_name AND found.policy_name = wanted.policy_name
WHERE found.policy_name IS NULL OR wanted.policy_name IS NULL
   OR found.polroles <> ARRAY[wanted.role] OR found.polcmd::text <> wanted.command
   OR (wanted.policy_name = 'beta_read_own_rows') <> (found.rule LIKE '%user_id%auth.uid()%')
ORDER BY 1, 2;

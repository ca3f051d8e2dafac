-- Row level security, policies and grants: nothing for anon; signed-in users read their own rows; the backend's
-- service_role does everything. What default privileges gave to anon and authenticated is taken away, so that the
-- result is the same with and without them. Where the roles of Supabase are not there, only the owner can read.

DO $row_level_security$
DECLARE
    shut record;
BEGIN
    FOR shut IN
        SELECT c.relname FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relrowsecurity
          AND c.relname IN ('user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback', 'daily_usage_quotas')
        ORDER BY c.relname
    LOOP
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', shut.relname);
        RAISE NOTICE '%: row level security switched on', shut.relname;
    END LOOP;
END
$row_level_security$;

DO $policies$
DECLARE
    wanted record;
    made integer := 0;
BEGIN
    FOR wanted IN
        SELECT planned.*
        FROM (
            SELECT t.name AS table_name, 'beta_service_role_all' AS policy_name, 'service_role' AS role_name,
                   'FOR ALL TO service_role USING (true) WITH CHECK (true)' AS rule
            FROM (VALUES ('user_tier_limits'), ('journal_summaries'), ('ai_usage_logs'), ('ai_feedback'),
                         ('daily_usage_quotas')) AS t (name)
            UNION ALL
            SELECT t.name, 'beta_read_own_rows', 'authenticated',
                   'FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid())::text)'
            FROM (VALUES ('journal_summaries'), ('ai_usage_logs'), ('ai_feedback'), ('daily_usage_quotas')) AS t (name)
            WHERE to_regprocedure('auth.uid()') IS NOT NULL
            UNION ALL
            SELECT 'user_tier_limits', 'beta_read_limits', 'authenticated', 'FOR SELECT TO authenticated USING (true)'
        ) AS planned
        WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS r WHERE r.rolname = planned.role_name)
          AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_policy AS p
                          WHERE p.polrelid = to_regclass('public.' || planned.table_name) AND p.polname = planned.policy_name)
    LOOP
        EXECUTE format('CREATE POLICY %I ON public.%I %s', wanted.policy_name, wanted.table_name, wanted.rule);
        EXECUTE format('COMMENT ON POLICY %I ON public.%I IS %L', wanted.policy_name, wanted.table_name, '[beta-optimization]');
        made := made + 1;
    END LOOP;
    RAISE NOTICE 'policies created: %', made;
END
$policies$;

DO $grants$
DECLARE
    object record;
    reader record;
    outsider text;
    note jsonb;
    remark text;
    has_service boolean := EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'service_role');
    has_authenticated boolean := EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'authenticated');
BEGIN
    FOR object IN
        SELECT 'TABLE ' || name AS name, service, signed_in
        FROM (VALUES
            ('public.user_tier_limits', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
            ('public.journal_summaries', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
            ('public.ai_usage_logs', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
            ('public.ai_feedback', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
            ('public.daily_usage_quotas', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
            ('public.beta_daily_metrics', 'SELECT', NULL),
            ('public.beta_user_engagement', 'SELECT', NULL),
            ('public.beta_feedback_analysis', 'SELECT', NULL)) AS relations (name, service, signed_in)
        UNION ALL
        SELECT 'FUNCTION ' || name, service, NULL
        FROM (VALUES ('public.get_user_tier_info(text)', 'EXECUTE'), ('public.reset_daily_usage_counters()', 'EXECUTE'),
                     ('public.keep_daily_usage_quota()', NULL), ('public.probe_beta_release()', NULL)) AS functions (name, service)
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', object.name);
        FOR outsider IN SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role') LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %I', object.name, outsider);
        END LOOP;
        IF has_authenticated AND object.signed_in IS NOT NULL THEN
            EXECUTE format('GRANT %s ON %s TO authenticated', object.signed_in, object.name);
        END IF;
        IF has_service AND object.service IS NOT NULL THEN
            EXECUTE format('GRANT %s ON %s TO service_role', object.service, object.name);
        END IF;
    END LOOP;
    IF NOT has_service THEN
        RETURN;
    END IF;

    -- The views and functions run with the backend's rights: it needs these columns of the old tables. What it lacks is
    -- granted column by column and noted, so that the rollback takes back exactly that.
    FOR reader IN
        SELECT needed.table_name, needed.column_name, needed.privilege, a.attrelid, a.attnum
        FROM (VALUES
            ('users', 'id', 'SELECT'), ('users', 'created_at', 'SELECT'),
            ('users', 'is_premium', 'SELECT'), ('users', 'tier_expires_at', 'SELECT'),
            ('users', 'daily_ai_usage', 'SELECT'), ('users', 'daily_usage_reset_at', 'SELECT'),
            ('users', 'is_premium', 'UPDATE'), ('users', 'tier_expires_at', 'UPDATE'),
            ('users', 'daily_ai_usage', 'UPDATE'), ('users', 'daily_usage_reset_at', 'UPDATE'),
            ('journal_entries', 'user_id', 'SELECT'), ('journal_entries', 'created_at', 'SELECT')
        ) AS needed (table_name, column_name, privilege)
        JOIN pg_catalog.pg_attribute AS a
          ON a.attrelid = to_regclass('public.' || needed.table_name) AND a.attname = needed.column_name
        WHERE NOT pg_catalog.has_column_privilege('service_role', a.attrelid, a.attnum, needed.privilege)
    LOOP
        EXECUTE format('GRANT %s (%I) ON public.%I TO service_role', reader.privilege, reader.column_name, reader.table_name);
        remark := pg_catalog.col_description(reader.attrelid, reader.attnum);
        IF coalesce(remark, '') NOT LIKE '%[beta-optimization]' THEN
            note := coalesce(substring(remark FROM '\[beta-optimization found: (.*)\]$')::jsonb,
                             jsonb_build_object('granted', '[]'::jsonb, 'comment', remark IS NOT NULL));
            note := jsonb_set(note, '{granted}', (note -> 'granted') || to_jsonb(reader.privilege));
            EXECUTE format('COMMENT ON COLUMN public.%I.%I IS %L', reader.table_name, reader.column_name,
                coalesce(regexp_replace(remark, ' \[beta-optimization found: .*\]$', ''), '')
                || ' [beta-optimization found: ' || note::text || ']');
        END IF;
        RAISE NOTICE '%.%: % granted to service_role', reader.table_name, reader.column_name, reader.privilege;
    END LOOP;
END
$grants$;

DO $done$
BEGIN
    -- Outside one transaction this line would also be printed after errors: only verification proves the deploy.
    RAISE NOTICE 'beta-optimization: the end of the script was reached; the verification queries decide whether it worked';
END
$done$;

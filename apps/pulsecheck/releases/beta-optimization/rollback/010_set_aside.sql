-- What bears one of the release's names but not its mark belongs to somebody else, or was there before: it is renamed
-- while the release's own objects go, and gets its name and its state back in 030_give_back.sql.

DO $set_aside$
DECLARE
    other record;
BEGIN
    -- The trigger on a log that was there before; with our own log, it goes with the table.
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_trigger AS t
               WHERE t.tgrelid = to_regclass('public.ai_usage_logs') AND t.tgname = 'keep_daily_usage_quota'
                 AND pg_catalog.obj_description(t.oid, 'pg_trigger') = '[beta-optimization]') THEN
        DROP TRIGGER keep_daily_usage_quota ON public.ai_usage_logs;
    END IF;

    FOR other IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS object, c.relname::text AS name
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND c.relname IN ('user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback', 'daily_usage_quotas',
                            'beta_daily_metrics', 'beta_user_engagement', 'beta_feedback_analysis')
          AND coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') NOT LIKE '%[beta-optimization]'
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, p.proname::text
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
          AND p.oid IN (to_regprocedure('public.get_user_tier_info(text)'), to_regprocedure('public.reset_daily_usage_counters()'),
                        to_regprocedure('public.keep_daily_usage_quota()'), to_regprocedure('public.probe_beta_release()'))
          AND coalesce(pg_catalog.obj_description(p.oid, 'pg_proc'), '') NOT LIKE '%[beta-optimization]'
    LOOP
        EXECUTE format('ALTER %s %s RENAME TO %I', other.kind, other.object, other.name || '_not_of_beta_optimization');
    END LOOP;

    FOR other IN
        SELECT a.attname::text AS name
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = to_regclass('public.users') AND NOT a.attisdropped
          AND a.attname IN ('is_premium', 'tier_expires_at', 'daily_ai_usage', 'daily_usage_reset_at')
          AND coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '') NOT LIKE '%[beta-optimization]'
    LOOP
        EXECUTE format('ALTER TABLE public.users RENAME COLUMN %I TO %I', other.name, other.name || '_not_of_beta_optimization');
    END LOOP;
END
$set_aside$;

-- Takes back the views, the trigger and the functions that bear this release's mark, and gives the names back to those
-- that were there before. Without CASCADE: where something of somebody else's depends on them, the server says what,
-- and nothing is taken.

DO $views$
DECLARE
    gone record;
BEGIN
    FOR gone IN
        SELECT c.relname
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
          AND c.relname IN ('beta_daily_metrics', 'beta_user_engagement', 'beta_feedback_analysis')
          AND pg_catalog.obj_description(c.oid, 'pg_class') LIKE '%[beta-optimization]'
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP VIEW public.%I', gone.relname);
        RAISE NOTICE 'view %: removed', gone.relname;
    END LOOP;
END
$views$;

DO $trigger$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_trigger AS t
               WHERE t.tgrelid = to_regclass('public.ai_usage_logs') AND t.tgname = 'keep_daily_usage_quota'
                 AND pg_catalog.obj_description(t.oid, 'pg_trigger') LIKE '%[beta-optimization]') THEN
        DROP TRIGGER keep_daily_usage_quota ON public.ai_usage_logs;
        RAISE NOTICE 'trigger keep_daily_usage_quota: removed';
    END IF;
END
$trigger$;

DO $functions$
DECLARE
    gone record;
BEGIN
    FOR gone IN
        SELECT p.oid::regprocedure AS signature
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace
          AND p.proname IN ('get_user_tier_info', 'reset_daily_usage_counters', 'keep_daily_usage_quota',
                            'probe_beta_release')
          AND pg_catalog.obj_description(p.oid, 'pg_proc') LIKE '%[beta-optimization]'
        ORDER BY p.proname
    LOOP
        EXECUTE format('DROP FUNCTION %s', gone.signature);
        RAISE NOTICE 'function %: removed', gone.signature;
    END LOOP;
END
$functions$;

DO $names$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT 'VIEW' AS kind, c.oid::regclass::text AS object, c.relname::text AS name
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
          AND c.relname IN ('beta_daily_metrics_before_beta_optimization', 'beta_user_engagement_before_beta_optimization',
                            'beta_feedback_analysis_before_beta_optimization')
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, p.proname::text
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace
          AND p.proname IN ('get_user_tier_info_before_beta_optimization',
                            'reset_daily_usage_counters_before_beta_optimization',
                            'keep_daily_usage_quota_before_beta_optimization', 'probe_beta_release_before_beta_optimization')
    LOOP
        EXECUTE format('ALTER %s %s RENAME TO %I', old.kind, old.object, replace(old.name, '_before_beta_optimization', ''));
        RAISE NOTICE '%: has its old name again', old.object;
    END LOOP;
END
$names$;

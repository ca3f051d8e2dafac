-- The functions and the trigger. Each has a fixed search_path, runs with its caller's rights, swallows no error and
-- invents no user. Objects of the same name that an earlier attempt left are renamed, not replaced: their shape may
-- differ (42P13, 42P16), and the rollback can give them their names back.

DO $move_aside$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT 'VIEW' AS kind, c.relname::text AS name, format('public.%I', c.relname) AS object
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
          AND c.relname IN ('beta_daily_metrics', 'beta_user_engagement', 'beta_feedback_analysis')
          AND coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') NOT LIKE '%[beta-optimization]'
        UNION ALL
        SELECT 'FUNCTION', p.proname::text,
               format('public.%I(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
          AND p.proname IN ('get_user_tier_info', 'reset_daily_usage_counters', 'keep_daily_usage_quota')
          AND coalesce(pg_catalog.obj_description(p.oid, 'pg_proc'), '') NOT LIKE '%[beta-optimization]'
    LOOP
        EXECUTE format('ALTER %s %s RENAME TO %I', old.kind, old.object, old.name || '_before_beta_optimization');
        RAISE NOTICE '%: found, of another making; now called %_before_beta_optimization', old.object, old.name;
    END LOOP;
END
$move_aside$;

-- ai_used_today counts the calls of the UTC day since the last reset, from the log itself.
DO $get_user_tier_info$
BEGIN
    CREATE OR REPLACE FUNCTION public.get_user_tier_info(p_user_id text)
    RETURNS TABLE (
        user_id text, tier text, daily_ai_limit integer, ai_used_today integer, context_depth integer,
        summary_access boolean, max_tokens_per_request integer
    )
    LANGUAGE sql STABLE
    SET search_path = ''
    AS $function$
        WITH person AS (
            SELECT
                asked.user_id,
                CASE
                    WHEN known.is_premium AND (known.tier_expires_at IS NULL OR known.tier_expires_at > now()) THEN 'premium'
                    WHEN known.created_at > now() - interval '30 days' THEN 'beta'
                    ELSE 'free'
                END AS tier,
                greatest(date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', known.daily_usage_reset_at) AS since
            FROM (SELECT p_user_id AS user_id) AS asked
            LEFT JOIN public.users AS known ON known.id::text = asked.user_id
        )
        SELECT
            person.user_id,
            person.tier,
            limits.daily_ai_limit,
            (SELECT count(*)::integer
             FROM public.ai_usage_logs AS log
             WHERE log.user_id = person.user_id AND log.created_at >= person.since),
            limits.context_depth,
            limits.summary_access,
            limits.max_tokens_per_request
        FROM person
        LEFT JOIN public.user_tier_limits AS limits ON limits.tier_name = person.tier
    $function$;
    COMMENT ON FUNCTION public.get_user_tier_info(text) IS
        'Tier, limits and calls of today of one user; who is not in users is free. [beta-optimization]';
END
$get_user_tier_info$;

-- Sets the time of the reset to now and never writes into the past; daily_usage_quotas stays what the log says.
DO $reset_daily_usage_counters$
BEGIN
    CREATE OR REPLACE FUNCTION public.reset_daily_usage_counters()
    RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = ''
    AS $function$
    DECLARE
        today timestamptz := date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
        users_reset integer;
    BEGIN
        UPDATE public.users AS u
        SET daily_ai_usage = 0, daily_usage_reset_at = now()
        WHERE u.daily_ai_usage <> 0
           OR u.id::text IN (SELECT log.user_id FROM public.ai_usage_logs AS log
                             WHERE log.created_at >= greatest(today, u.daily_usage_reset_at));
        GET DIAGNOSTICS users_reset = ROW_COUNT;
        RETURN users_reset;
    END
    $function$;
    COMMENT ON FUNCTION public.reset_daily_usage_counters() IS
        'Starts the day''s count anew for every user who has used some of it; returns how many. [beta-optimization]';
END
$reset_daily_usage_counters$;

-- A call without a price counts as a call and adds nothing to the cost; it must not turn the sum into null.
DO $keep_daily_usage_quota$
BEGIN
    CREATE OR REPLACE FUNCTION public.keep_daily_usage_quota()
    RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = ''
    AS $function$
    BEGIN
        IF TG_OP IN ('INSERT', 'UPDATE') THEN
            INSERT INTO public.daily_usage_quotas AS quota (user_id, usage_date, requests_used, tokens_used, cost_usd)
            VALUES (NEW.user_id, (NEW.created_at AT TIME ZONE 'UTC')::date, 1, coalesce(NEW.total_tokens, 0),
                    coalesce(NEW.cost_usd, 0))
            ON CONFLICT (user_id, usage_date) DO UPDATE
            SET requests_used = coalesce(quota.requests_used, 0) + EXCLUDED.requests_used,
                tokens_used = coalesce(quota.tokens_used, 0) + EXCLUDED.tokens_used,
                cost_usd = coalesce(quota.cost_usd, 0) + EXCLUDED.cost_usd,
                updated_at = now();
        END IF;
        IF TG_OP IN ('UPDATE', 'DELETE') THEN
            UPDATE public.daily_usage_quotas AS quota
            SET requests_used = coalesce(quota.requests_used, 0) - 1,
                tokens_used = coalesce(quota.tokens_used, 0) - coalesce(OLD.total_tokens, 0),
                cost_usd = coalesce(quota.cost_usd, 0) - coalesce(OLD.cost_usd, 0),
                updated_at = now()
            WHERE quota.user_id = OLD.user_id AND quota.usage_date = (OLD.created_at AT TIME ZONE 'UTC')::date;
            DELETE FROM public.daily_usage_quotas AS quota
            WHERE quota.user_id = OLD.user_id AND quota.usage_date = (OLD.created_at AT TIME ZONE 'UTC')::date
              AND quota.requests_used <= 0;
        END IF;
        RETURN NULL;
    END
    $function$;
    COMMENT ON FUNCTION public.keep_daily_usage_quota() IS
        'Keeps daily_usage_quotas equal to the sums of ai_usage_logs per user and UTC day. [beta-optimization]';
END
$keep_daily_usage_quota$;

DO $trigger$
DECLARE
    others text;
    filled integer;
BEGIN
    CREATE OR REPLACE TRIGGER keep_daily_usage_quota
        AFTER INSERT OR UPDATE OR DELETE ON public.ai_usage_logs
        FOR EACH ROW EXECUTE FUNCTION public.keep_daily_usage_quota();
    COMMENT ON TRIGGER keep_daily_usage_quota ON public.ai_usage_logs IS '[beta-optimization]';

    SELECT string_agg(t.tgname, ', ' ORDER BY t.tgname) INTO others
    FROM pg_catalog.pg_trigger AS t
    WHERE t.tgrelid = 'public.ai_usage_logs'::regclass AND NOT t.tgisinternal AND t.tgname <> 'keep_daily_usage_quota';
    IF others IS NOT NULL THEN
        RAISE WARNING 'ai_usage_logs has other triggers (%): one that also writes daily_usage_quotas would count twice', others;
    END IF;

    -- Calls that were logged before there was a trigger: their missing days are summed; no row that is there is changed.
    INSERT INTO public.daily_usage_quotas (user_id, usage_date, requests_used, tokens_used, cost_usd)
    SELECT log.user_id, (log.created_at AT TIME ZONE 'UTC')::date, count(*), coalesce(sum(log.total_tokens), 0),
           coalesce(sum(log.cost_usd), 0)
    FROM public.ai_usage_logs AS log
    WHERE log.user_id IS NOT NULL
    GROUP BY 1, 2
    ON CONFLICT (user_id, usage_date) DO NOTHING;
    GET DIAGNOSTICS filled = ROW_COUNT;
    RAISE NOTICE 'ai_usage_logs: trigger keeps daily_usage_quotas; days summed from calls logged before: %', filled;
END
$trigger$;

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
          AND p.proname IN ('get_user_tier_info', 'reset_daily_usage_counters', 'keep_daily_usage_quota', 'probe_beta_release')
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
           OR u.id::text IN (SELECT log.user_id FROM public.ai_usage_logs AS log WHERE log.created_at >= today);
        GET DIAGNOSTICS users_reset = ROW_COUNT;
        RETURN users_reset;
    END
    $function$;
    COMMENT ON FUNCTION public.reset_daily_usage_counters() IS
        'Starts the day''s count anew for every user who has a call today or a counter; returns how many. [beta-optimization]';
END
$reset_daily_usage_counters$;

-- A call without a price counts as a call and adds nothing to the cost; it must not turn the sum into null. trim_scale
-- keeps a sum from which something was taken away the same, digit by digit, as one to which it was never added.
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
                    trim_scale(coalesce(NEW.cost_usd, 0)))
            ON CONFLICT (user_id, usage_date) DO UPDATE
            SET requests_used = coalesce(quota.requests_used, 0) + EXCLUDED.requests_used,
                tokens_used = coalesce(quota.tokens_used, 0) + EXCLUDED.tokens_used,
                cost_usd = trim_scale(coalesce(quota.cost_usd, 0) + EXCLUDED.cost_usd),
                updated_at = now();
        END IF;
        IF TG_OP IN ('UPDATE', 'DELETE') THEN
            UPDATE public.daily_usage_quotas AS quota
            SET requests_used = coalesce(quota.requests_used, 0) - 1,
                tokens_used = coalesce(quota.tokens_used, 0) - coalesce(OLD.total_tokens, 0),
                cost_usd = trim_scale(coalesce(quota.cost_usd, 0) - coalesce(OLD.cost_usd, 0)),
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
           trim_scale(coalesce(sum(log.cost_usd), 0))
    FROM public.ai_usage_logs AS log
    WHERE log.user_id IS NOT NULL
    GROUP BY 1, 2
    ON CONFLICT (user_id, usage_date) DO NOTHING;
    GET DIAGNOSTICS filled = ROW_COUNT;
    RAISE NOTICE 'ai_usage_logs: trigger keeps daily_usage_quotas; days summed from calls logged before: %', filled;
END
$trigger$;

-- Tries for itself what verification asks: each part writes marked rows inside a savepoint, looks at the effect, and
-- undoes all of it by an exception of its own; any other error goes through to the caller. Only the owner may call it.
DO $probe_beta_release$
BEGIN
    CREATE OR REPLACE FUNCTION public.probe_beta_release()
    RETURNS TABLE (subject text, fault text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = ''
    AS $function$
    DECLARE
        one uuid := gen_random_uuid();
        two uuid := gen_random_uuid();
        known text;
        quota record;
        used integer;
        since_reset integer;
        visible bigint;
        object text;
        found text[];
    BEGIN
        found := '{}';
        BEGIN
            INSERT INTO public.ai_usage_logs (user_id, total_tokens, cost_usd) VALUES (one::text, 100, 0.25);
            INSERT INTO public.ai_usage_logs (user_id, total_tokens, cost_usd) VALUES (one::text, 10, NULL);
            SELECT q.requests_used, q.tokens_used, q.cost_usd INTO quota
            FROM public.daily_usage_quotas AS q
            WHERE q.user_id = one::text AND q.usage_date = (now() AT TIME ZONE 'UTC')::date;
            IF quota IS NULL OR (quota.requests_used, quota.tokens_used, quota.cost_usd) IS DISTINCT FROM (2, 110, 0.25) THEN
                found := found || format('two calls of 110 tokens and 0.25 USD were logged, and the quota of the day shows %s',
                                         coalesce(quota::text, 'nothing'));
            END IF;
            DELETE FROM public.ai_usage_logs WHERE user_id = one::text AND total_tokens = 100;
            SELECT q.requests_used, q.tokens_used, q.cost_usd INTO quota
            FROM public.daily_usage_quotas AS q
            WHERE q.user_id = one::text AND q.usage_date = (now() AT TIME ZONE 'UTC')::date;
            IF quota IS NULL OR (quota.requests_used, quota.tokens_used, quota.cost_usd) IS DISTINCT FROM (1, 10, 0) THEN
                found := found || format('one call of two was deleted, 10 tokens are left, and the quota of the day shows %s',
                                         coalesce(quota::text, 'nothing'));
            END IF;
            RAISE EXCEPTION 'undo' USING ERRCODE = 'BETA0';
        EXCEPTION WHEN SQLSTATE 'BETA0' THEN
            NULL; -- All that was written above is undone; what was found is kept.
        END;
        RETURN QUERY SELECT 'trigger', f FROM unnest(found) AS f;

        found := '{}';
        BEGIN
            SELECT u.id::text INTO known FROM public.users AS u LIMIT 1;
            IF known IS NOT NULL THEN
                INSERT INTO public.ai_usage_logs (user_id, created_at) VALUES (known, now() - interval '1 second');
                PERFORM public.reset_daily_usage_counters();
                INSERT INTO public.ai_usage_logs (user_id, created_at) VALUES (known, clock_timestamp());
                SELECT count(*) INTO since_reset FROM public.ai_usage_logs AS log
                WHERE log.user_id = known AND log.created_at >= now();
                SELECT info.ai_used_today INTO used FROM public.get_user_tier_info(known) AS info;
                IF used IS DISTINCT FROM since_reset THEN
                    found := found || format('after a reset and %s calls, get_user_tier_info counts %s', since_reset, used);
                END IF;
                UPDATE public.users SET daily_ai_usage = 3 WHERE id::text = known;
                PERFORM public.reset_daily_usage_counters();
                SELECT u.daily_ai_usage INTO used FROM public.users AS u WHERE u.id::text = known;
                IF used IS DISTINCT FROM 0 THEN
                    found := found || format('after a reset, users.daily_ai_usage is %s', used);
                END IF;
            END IF;
            RAISE EXCEPTION 'undo' USING ERRCODE = 'BETA0';
        EXCEPTION WHEN SQLSTATE 'BETA0' THEN
            NULL; -- As above.
        END;
        RETURN QUERY SELECT 'reset', f FROM unnest(found) AS f;

        found := '{}';
        IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'anon')
           AND pg_catalog.pg_has_role(current_user, 'anon', 'MEMBER') THEN
            FOREACH object IN ARRAY ARRAY['user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback',
                'daily_usage_quotas', 'beta_daily_metrics', 'beta_user_engagement', 'beta_feedback_analysis'] LOOP
                BEGIN
                    PERFORM pg_catalog.set_config('role', 'anon', true);
                    EXECUTE format('SELECT count(*) FROM public.%I', object) INTO visible;
                    found := found || format('anon has read %s and seen %s rows', object, visible);
                    RAISE EXCEPTION 'undo' USING ERRCODE = 'BETA0';
                EXCEPTION WHEN insufficient_privilege OR SQLSTATE 'BETA0' THEN
                    NULL; -- Refused, as it should be; or read, and noted. The role is our own again.
                END;
            END LOOP;
        END IF;
        RETURN QUERY SELECT 'anon', f FROM unnest(found) AS f;

        found := '{}';
        IF to_regprocedure('auth.uid()') IS NOT NULL
           AND EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'authenticated')
           AND pg_catalog.pg_has_role(current_user, 'authenticated', 'MEMBER') THEN
            BEGIN
                INSERT INTO public.ai_usage_logs (user_id) VALUES (one::text), (two::text);
                PERFORM pg_catalog.set_config('request.jwt.claim.sub', one::text, true);
                PERFORM pg_catalog.set_config('request.jwt.claims', json_build_object('sub', one, 'role', 'authenticated')::text, true);
                PERFORM pg_catalog.set_config('role', 'authenticated', true);
                SELECT count(*) INTO visible FROM public.ai_usage_logs;
                IF visible <> 1 THEN
                    found := found || format('a signed-in user with 1 row sees %s rows of ai_usage_logs', visible);
                END IF;
                SELECT count(*) INTO visible FROM public.daily_usage_quotas;
                IF visible <> 1 THEN
                    found := found || format('a signed-in user with 1 row sees %s rows of daily_usage_quotas', visible);
                END IF;
                RAISE EXCEPTION 'undo' USING ERRCODE = 'BETA0';
            EXCEPTION WHEN SQLSTATE 'BETA0' THEN
                NULL; -- As above; the role and the claims are what they were.
            END;
        END IF;
        RETURN QUERY SELECT 'authenticated', f FROM unnest(found) AS f;
    END
    $function$;
    COMMENT ON FUNCTION public.probe_beta_release() IS
        'What verification tries: trigger, reset, anon, signed-in user; no row: all is well. Leaves nothing. [beta-optimization]';
END
$probe_beta_release$;

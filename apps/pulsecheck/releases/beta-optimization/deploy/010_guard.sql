-- Looks before anything is touched: says what was found, and refuses, with every reason at once, where the release
-- would do harm. It changes nothing.
--
-- A sign in the comments tells what belongs to this release, so that the rollback can remove exactly that:
--   "... [beta-optimization]"                what the release created
--   "... [beta-optimization found: {...}]"   what was there before, and how it was (the rollback puts it back)

DO $guard$
DECLARE
    problems text[] := '{}';
    journal_user_type text;
    journal_levels text;
    journal_rls boolean;
    wrong record;
BEGIN
    -- The two tables the release stands on.
    FOR wrong IN
        SELECT needed.table_name, needed.column_name
        FROM (VALUES ('users', 'id'), ('users', 'created_at'), ('journal_entries', 'user_id'),
                     ('journal_entries', 'created_at')) AS needed (table_name, column_name)
        WHERE NOT EXISTS (
            SELECT 1 FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = pg_catalog.to_regclass('public.' || needed.table_name)
              AND a.attname = needed.column_name AND NOT a.attisdropped)
    LOOP
        problems := problems || format('public.%s.%s is missing, and the release reads it', wrong.table_name, wrong.column_name);
    END LOOP;

    -- Names that are taken by another kind of object.
    FOR wrong IN
        SELECT c.relname, c.relkind
        FROM pg_catalog.pg_class AS c
        JOIN (VALUES ('users', 'r'), ('journal_entries', 'r'), ('user_tier_limits', 'r'), ('journal_summaries', 'r'),
                     ('ai_usage_logs', 'r'), ('ai_feedback', 'r'), ('daily_usage_quotas', 'r'), ('beta_daily_metrics', 'v'),
                     ('beta_user_engagement', 'v'), ('beta_feedback_analysis', 'v')) AS expected (name, kind)
          ON expected.name = c.relname
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind::text <> expected.kind AND NOT (expected.kind = 'r' AND c.relkind = 'p')
    LOOP
        problems := problems || format('public.%s is there as another kind of object (relkind %s)', wrong.relname, wrong.relkind);
    END LOOP;

    -- What we must change but do not own.
    FOR wrong IN
        SELECT c.relname::text, pg_catalog.pg_get_userbyid(c.relowner) AS owner
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relname IN ('users', 'user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback',
                            'daily_usage_quotas', 'beta_daily_metrics', 'beta_user_engagement', 'beta_feedback_analysis')
          AND NOT pg_catalog.pg_has_role(current_user, c.relowner, 'USAGE')
        UNION ALL
        SELECT p.oid::regprocedure::text, pg_catalog.pg_get_userbyid(p.proowner)
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace
          AND p.proname IN ('get_user_tier_info', 'reset_daily_usage_counters', 'keep_daily_usage_quota', 'probe_beta_release')
          AND NOT pg_catalog.pg_has_role(current_user, p.proowner, 'USAGE')
    LOOP
        problems := problems || format('public.%s belongs to %s, and %s may not change it: connect as its owner',
                                       wrong.relname, wrong.owner, current_user);
    END LOOP;

    -- Columns that an earlier attempt left with a type that our callers cannot use.
    FOR wrong IN
        SELECT c.relname, a.attname, pg_catalog.format_type(a.atttypid, NULL) AS found_type, expected.types
        FROM (VALUES
            ('users', 'is_premium', '{boolean}'), ('users', 'tier_expires_at', '{timestamp with time zone}'),
            ('users', 'daily_ai_usage', '{integer,bigint}'), ('users', 'daily_usage_reset_at', '{timestamp with time zone}'),
            ('user_tier_limits', 'tier_name', '{text,character varying}'), ('user_tier_limits', 'daily_ai_limit', '{integer}'),
            ('user_tier_limits', 'context_depth', '{integer}'), ('user_tier_limits', 'summary_access', '{boolean}'),
            ('user_tier_limits', 'max_tokens_per_request', '{integer}'),
            ('journal_summaries', 'user_id', '{text,character varying}'),
            ('journal_summaries', 'period_start', '{date}'), ('journal_summaries', 'period_end', '{date}'),
            ('ai_usage_logs', 'id', '{uuid}'), ('ai_usage_logs', 'user_id', '{text,character varying}'),
            ('ai_usage_logs', 'prompt_tokens', '{integer}'), ('ai_usage_logs', 'response_tokens', '{integer}'),
            ('ai_usage_logs', 'total_tokens', '{integer}'), ('ai_usage_logs', 'model_used', '{text,character varying}'),
            ('ai_usage_logs', 'response_time_ms', '{integer}'), ('ai_usage_logs', 'confidence_score', '{numeric}'),
            ('ai_usage_logs', 'cost_usd', '{numeric}'), ('ai_usage_logs', 'context_type', '{text,character varying}'),
            ('ai_usage_logs', 'success', '{boolean}'), ('ai_usage_logs', 'error_message', '{text,character varying}'),
            ('ai_usage_logs', 'created_at', '{timestamp with time zone}'),
            ('ai_feedback', 'user_id', '{text,character varying}'), ('ai_feedback', 'journal_entry_id', '{uuid}'),
            ('ai_feedback', 'ai_usage_log_id', '{uuid}'), ('ai_feedback', 'feedback_type', '{text,character varying}'),
            ('ai_feedback', 'feedback_text', '{text,character varying}'), ('ai_feedback', 'user_tier', '{text,character varying}'),
            ('ai_feedback', 'created_at', '{timestamp with time zone}'),
            ('daily_usage_quotas', 'user_id', '{text,character varying}'), ('daily_usage_quotas', 'usage_date', '{date}'),
            ('daily_usage_quotas', 'requests_used', '{integer}'), ('daily_usage_quotas', 'tokens_used', '{integer,bigint}'),
            ('daily_usage_quotas', 'cost_usd', '{numeric}')
        ) AS expected (table_name, column_name, types)
        JOIN pg_catalog.pg_class AS c ON c.relname = expected.table_name AND c.relnamespace = 'public'::regnamespace
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = expected.column_name AND NOT a.attisdropped
        WHERE NOT pg_catalog.format_type(a.atttypid, NULL) = ANY (expected.types::text[])
    LOOP
        problems := problems || format('public.%s.%s is %s, and the app needs %s', wrong.relname, wrong.attname,
                                       wrong.found_type, wrong.types);
    END LOOP;

    -- Columns of a table that was left by an earlier attempt and that cannot be added without inventing their values.
    FOR wrong IN
        SELECT c.relname, key.column_name
        FROM (VALUES ('user_tier_limits', 'tier_name'), ('journal_summaries', 'user_id'), ('ai_usage_logs', 'id'),
                     ('ai_usage_logs', 'user_id'), ('ai_usage_logs', 'created_at'), ('ai_feedback', 'user_id'),
                     ('ai_feedback', 'feedback_type'), ('ai_feedback', 'created_at'), ('daily_usage_quotas', 'user_id'),
                     ('daily_usage_quotas', 'usage_date')) AS key (table_name, column_name)
        JOIN pg_catalog.pg_class AS c ON c.relname = key.table_name AND c.relnamespace = 'public'::regnamespace
        WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute AS a
                          WHERE a.attrelid = c.oid AND a.attname = key.column_name AND NOT a.attisdropped)
    LOOP
        problems := problems || format('public.%s was there before and has no column %s; to add it would invent values '
                                       'for its rows: rename the column that holds them, or move the table aside',
                                       wrong.relname, wrong.column_name);
    END LOOP;

    IF cardinality(problems) > 0 THEN
        RAISE EXCEPTION 'beta-optimization does not fit this database: %', array_to_string(problems, '; ')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Nothing was changed. Put these right, rehearse, and deploy again.';
    END IF;

    SELECT pg_catalog.format_type(a.atttypid, a.atttypmod), c.relrowsecurity
    INTO journal_user_type, journal_rls
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    WHERE a.attrelid = 'public.journal_entries'::regclass AND a.attname = 'user_id' AND NOT a.attisdropped;
    SELECT string_agg(a.attname, ', ' ORDER BY a.attnum)
    INTO journal_levels
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = 'public.journal_entries'::regclass AND NOT a.attisdropped
      AND a.attname IN ('mood_level', 'energy_level', 'stress_level', 'mood_score', 'energy_score', 'stress_score');
    RAISE NOTICE 'journal_entries found: user_id is %, levels are %, row level security is % (left as it is)',
        journal_user_type, coalesce(journal_levels, 'not there'), CASE WHEN journal_rls THEN 'on' ELSE 'OFF' END;
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'service_role') THEN
        RAISE NOTICE 'the roles of Supabase are not here: no grants and no policies will be made; only the owner can read';
    END IF;
END
$guard$;

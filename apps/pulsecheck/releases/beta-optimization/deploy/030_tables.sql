-- Creates the five tables, in the order in which they refer to each other. user_id is text everywhere: callers send
-- user_123, the text of a uuid, or an e-mail address. No foreign key leads to the old tables, so that no write to them
-- can fail or wait because of this release.

DO $user_tier_limits$
BEGIN
    IF to_regclass('public.user_tier_limits') IS NULL THEN
        CREATE TABLE public.user_tier_limits (
            tier_name text PRIMARY KEY,
            daily_ai_limit integer NOT NULL CHECK (daily_ai_limit >= 0),
            context_depth integer NOT NULL CHECK (context_depth >= 0),
            summary_access boolean NOT NULL DEFAULT false,
            max_tokens_per_request integer NOT NULL CHECK (max_tokens_per_request > 0),
            created_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE public.user_tier_limits IS 'What each tier may use per UTC day and per request. [beta-optimization]';
        RAISE NOTICE 'user_tier_limits: created';
    ELSE
        RAISE NOTICE 'user_tier_limits: found and kept';
    END IF;
END
$user_tier_limits$;

DO $journal_summaries$
BEGIN
    IF to_regclass('public.journal_summaries') IS NULL THEN
        CREATE TABLE public.journal_summaries (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            user_id text NOT NULL,
            period_start date NOT NULL,
            period_end date NOT NULL CHECK (period_end >= period_start),
            summary_text text NOT NULL,
            entries_count integer NOT NULL DEFAULT 0 CHECK (entries_count >= 0),
            tokens_used integer NOT NULL DEFAULT 0 CHECK (tokens_used >= 0),
            created_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (user_id, period_start, period_end)
        );
        COMMENT ON TABLE public.journal_summaries IS
            'Summaries of a period of a journal, used as context instead of the entries. [beta-optimization]';
        RAISE NOTICE 'journal_summaries: created';
    ELSE
        RAISE NOTICE 'journal_summaries: found and kept';
    END IF;
END
$journal_summaries$;

DO $ai_usage_logs$
BEGIN
    IF to_regclass('public.ai_usage_logs') IS NULL THEN
        CREATE TABLE public.ai_usage_logs (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            user_id text NOT NULL,
            prompt_tokens integer NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
            response_tokens integer NOT NULL DEFAULT 0 CHECK (response_tokens >= 0),
            total_tokens integer NOT NULL DEFAULT 0 CHECK (total_tokens >= 0),
            model_used text,
            response_time_ms integer CHECK (response_time_ms >= 0),
            confidence_score numeric CHECK (confidence_score BETWEEN 0 AND 1),
            cost_usd numeric CHECK (cost_usd >= 0),
            context_type text,
            success boolean NOT NULL DEFAULT true,
            error_message text,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE public.ai_usage_logs IS
            'One row per call of the AI, failed ones included; cost_usd is null where no price is known. [beta-optimization]';
        RAISE NOTICE 'ai_usage_logs: created';
    ELSE
        RAISE NOTICE 'ai_usage_logs: found and kept';
    END IF;
END
$ai_usage_logs$;

DO $ai_feedback$
BEGIN
    IF to_regclass('public.ai_feedback') IS NULL THEN
        CREATE TABLE public.ai_feedback (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            user_id text NOT NULL,
            journal_entry_id uuid,
            ai_usage_log_id uuid REFERENCES public.ai_usage_logs (id) ON DELETE SET NULL,
            feedback_type text NOT NULL CHECK (feedback_type IN ('thumbs_up', 'thumbs_down', 'report', 'detailed')),
            feedback_text text,
            user_tier text,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE public.ai_feedback IS 'What people said about the AI''s answers. [beta-optimization]';
        RAISE NOTICE 'ai_feedback: created';
    ELSE
        RAISE NOTICE 'ai_feedback: found and kept';
    END IF;
END
$ai_feedback$;

DO $daily_usage_quotas$
BEGIN
    IF to_regclass('public.daily_usage_quotas') IS NULL THEN
        CREATE TABLE public.daily_usage_quotas (
            user_id text NOT NULL,
            usage_date date NOT NULL DEFAULT ((now() AT TIME ZONE 'UTC')::date),
            requests_used integer NOT NULL DEFAULT 0,
            tokens_used bigint NOT NULL DEFAULT 0,
            cost_usd numeric NOT NULL DEFAULT 0,
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (user_id, usage_date)
        );
        COMMENT ON TABLE public.daily_usage_quotas IS
            'Sums of ai_usage_logs per user and UTC day, kept by its trigger; nothing else writes here. [beta-optimization]';
        RAISE NOTICE 'daily_usage_quotas: created';
    ELSE
        RAISE NOTICE 'daily_usage_quotas: found and kept';
    END IF;
END
$daily_usage_quotas$;

-- A table that an earlier attempt left behind keeps its rows and gets the columns it lacks. What it was like is noted
-- in its comment, for the rollback.
DO $complete$
DECLARE
    kept record;
    missing record;
BEGIN
    FOR kept IN
        SELECT c.oid, c.relname, c.relrowsecurity, c.relacl, pg_catalog.obj_description(c.oid, 'pg_class') AS remark
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relname IN ('user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback', 'daily_usage_quotas')
          AND coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') !~ '\[beta-optimization( found: .*)?\]$'
        ORDER BY c.relname
    LOOP
        EXECUTE format('COMMENT ON TABLE public.%I IS %L', kept.relname,
            coalesce(kept.remark, '') || ' [beta-optimization found: '
            || json_build_object('rls', kept.relrowsecurity, 'acl', kept.relacl::text, 'comment', kept.remark IS NOT NULL)::text
            || ']');
    END LOOP;

    FOR missing IN
        SELECT * FROM (VALUES
            ('user_tier_limits', 'daily_ai_limit', 'integer'),
            ('user_tier_limits', 'context_depth', 'integer'),
            ('user_tier_limits', 'summary_access', 'boolean NOT NULL DEFAULT false'),
            ('user_tier_limits', 'max_tokens_per_request', 'integer'),
            ('journal_summaries', 'period_start', 'date'),
            ('journal_summaries', 'period_end', 'date'),
            ('journal_summaries', 'summary_text', 'text'),
            ('journal_summaries', 'entries_count', 'integer NOT NULL DEFAULT 0'),
            ('journal_summaries', 'tokens_used', 'integer NOT NULL DEFAULT 0'),
            ('ai_usage_logs', 'prompt_tokens', 'integer NOT NULL DEFAULT 0'),
            ('ai_usage_logs', 'response_tokens', 'integer NOT NULL DEFAULT 0'),
            ('ai_usage_logs', 'total_tokens', 'integer NOT NULL DEFAULT 0'),
            ('ai_usage_logs', 'model_used', 'text'),
            ('ai_usage_logs', 'response_time_ms', 'integer'),
            ('ai_usage_logs', 'confidence_score', 'numeric'),
            ('ai_usage_logs', 'cost_usd', 'numeric'),
            ('ai_usage_logs', 'context_type', 'text'),
            ('ai_usage_logs', 'success', 'boolean NOT NULL DEFAULT true'),
            ('ai_usage_logs', 'error_message', 'text'),
            ('ai_feedback', 'journal_entry_id', 'uuid'),
            ('ai_feedback', 'ai_usage_log_id', 'uuid'),
            ('ai_feedback', 'feedback_text', 'text'),
            ('ai_feedback', 'user_tier', 'text'),
            ('daily_usage_quotas', 'requests_used', 'integer NOT NULL DEFAULT 0'),
            ('daily_usage_quotas', 'tokens_used', 'bigint NOT NULL DEFAULT 0'),
            ('daily_usage_quotas', 'cost_usd', 'numeric NOT NULL DEFAULT 0'),
            ('daily_usage_quotas', 'updated_at', 'timestamptz NOT NULL DEFAULT now()')
        ) AS wanted (table_name, column_name, definition)
        WHERE NOT EXISTS (
            SELECT 1 FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = to_regclass('public.' || wanted.table_name)
              AND a.attname = wanted.column_name AND NOT a.attisdropped)
    LOOP
        EXECUTE format('ALTER TABLE public.%I ADD COLUMN %I %s', missing.table_name, missing.column_name, missing.definition);
        EXECUTE format('COMMENT ON COLUMN public.%I.%I IS %L', missing.table_name, missing.column_name, '[beta-optimization]');
        RAISE NOTICE '%: column % added', missing.table_name, missing.column_name;
    END LOOP;
END
$complete$;

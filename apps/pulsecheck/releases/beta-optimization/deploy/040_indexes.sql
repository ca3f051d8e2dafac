-- Indexes for the limit of the day, the views and the foreign key. All are on plain columns: the day of a timestamptz
-- depends on the session's time zone, so an index on it is refused (42P17).

DO $indexes$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('ai_usage_logs', 'ai_usage_logs_user_id_created_at_idx', '', 'user_id, created_at'),
            ('ai_usage_logs', 'ai_usage_logs_created_at_idx', '', 'created_at'),
            ('ai_feedback', 'ai_feedback_user_id_created_at_idx', '', 'user_id, created_at'),
            ('ai_feedback', 'ai_feedback_journal_entry_id_idx', '', 'journal_entry_id'),
            ('ai_feedback', 'ai_feedback_ai_usage_log_id_idx', '', 'ai_usage_log_id'),
            ('user_tier_limits', 'user_tier_limits_tier_name_key', 'UNIQUE', 'tier_name'),
            ('daily_usage_quotas', 'daily_usage_quotas_user_id_usage_date_key', 'UNIQUE', 'user_id, usage_date')
        ) AS planned (table_name, index_name, uniqueness, columns)
        WHERE NOT EXISTS (
            SELECT 1
            FROM pg_catalog.pg_index AS i
            WHERE i.indrelid = to_regclass('public.' || planned.table_name)
              AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
              AND (planned.uniqueness = '' OR i.indisunique)
              AND planned.columns = (
                  SELECT string_agg(a.attname, ', ' ORDER BY k.place)
                  FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
                  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                  WHERE k.place <= i.indnkeyatts))
    LOOP
        EXECUTE format('CREATE %s INDEX %I ON public.%I (%s)', wanted.uniqueness, wanted.index_name, wanted.table_name,
                       wanted.columns);
        EXECUTE format('COMMENT ON INDEX public.%I IS %L', wanted.index_name, '[beta-optimization]');
        RAISE NOTICE '%: index on (%) created', wanted.table_name, wanted.columns;
    END LOOP;
END
$indexes$;

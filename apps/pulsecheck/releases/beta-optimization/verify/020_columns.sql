-- Proves that every column the app reads or writes is there with a type that takes what callers send.
-- A row names a column, what was found, and what is needed.
SELECT
    expected.table_name, expected.column_name, coalesce(format_type(a.atttypid, NULL), 'not there') AS found,
    array_to_string(expected.types::text[], ' or ') AS needed
FROM (VALUES
    ('users', 'is_premium', '{boolean}'), ('users', 'tier_expires_at', '{timestamp with time zone}'),
    ('users', 'daily_ai_usage', '{integer,bigint}'), ('users', 'daily_usage_reset_at', '{timestamp with time zone}'),
    ('user_tier_limits', 'tier_name', '{text,character varying}'), ('user_tier_limits', 'daily_ai_limit', '{integer}'),
    ('user_tier_limits', 'context_depth', '{integer}'), ('user_tier_limits', 'summary_access', '{boolean}'),
    ('user_tier_limits', 'max_tokens_per_request', '{integer}'),
    ('journal_summaries', 'user_id', '{text,character varying}'), ('journal_summaries', 'period_start', '{date}'),
    ('journal_summaries', 'period_end', '{date}'), ('journal_summaries', 'summary_text', '{text,character varying}'),
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
    ('daily_usage_quotas', 'cost_usd', '{numeric}'),
    ('beta_daily_metrics', 'metric_date', '{date}'), ('beta_daily_metrics', 'daily_active_users', '{bigint}'),
    ('beta_daily_metrics', 'total_ai_interactions', '{bigint}'),
    ('beta_daily_metrics', 'avg_tokens_per_interaction', '{numeric}'),
    ('beta_daily_metrics', 'total_daily_cost', '{numeric}'), ('beta_daily_metrics', 'avg_confidence_score', '{numeric}'),
    ('beta_daily_metrics', 'avg_response_time_ms', '{numeric}'), ('beta_daily_metrics', 'error_count', '{bigint}'),
    ('beta_daily_metrics', 'error_rate_percent', '{numeric}')
) AS expected (table_name, column_name, types)
LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = to_regclass('public.' || expected.table_name) AND a.attname = expected.column_name
    AND NOT a.attisdropped
WHERE a.attname IS NULL OR NOT format_type(a.atttypid, NULL) = ANY (expected.types::text[])
ORDER BY 1, 2;

-- The three views of the beta. Each runs with its reader's rights (security_invoker). Every source is summed up by
-- itself before it is joined: entries joined with calls would multiply the cost. Days are UTC days.

DO $beta_daily_metrics$
BEGIN
    CREATE OR REPLACE VIEW public.beta_daily_metrics WITH (security_invoker = true) AS
    SELECT
        (log.created_at AT TIME ZONE 'UTC')::date AS metric_date,
        count(DISTINCT log.user_id) AS daily_active_users,
        count(*) AS total_ai_interactions,
        round(avg(log.total_tokens), 2) AS avg_tokens_per_interaction,
        sum(log.cost_usd) AS total_daily_cost,
        round(avg(log.confidence_score), 3) AS avg_confidence_score,
        round(avg(log.response_time_ms), 1) AS avg_response_time_ms,
        count(*) FILTER (WHERE NOT log.success) AS error_count,
        round(100.0 * count(*) FILTER (WHERE NOT log.success) / count(*), 2) AS error_rate_percent,
        count(*) FILTER (WHERE log.cost_usd IS NULL) AS unpriced_interactions
    FROM public.ai_usage_logs AS log
    GROUP BY 1;
    COMMENT ON VIEW public.beta_daily_metrics IS
        'AI calls per UTC day; total_daily_cost is null where no call of the day has a price. [beta-optimization]';
END
$beta_daily_metrics$;

DO $beta_user_engagement$
BEGIN
    CREATE OR REPLACE VIEW public.beta_user_engagement WITH (security_invoker = true) AS
    WITH entries AS (
        SELECT entry.user_id::text AS user_id, count(*) AS total, max(entry.created_at)::timestamptz AS latest
        FROM public.journal_entries AS entry
        WHERE entry.user_id IS NOT NULL
        GROUP BY 1
    ),
    calls AS (
        SELECT
            log.user_id::text AS user_id, count(*) AS total, sum(log.total_tokens)::bigint AS tokens,
            sum(log.cost_usd) AS cost, count(DISTINCT (log.created_at AT TIME ZONE 'UTC')::date) AS days,
            max(log.created_at) AS latest
        FROM public.ai_usage_logs AS log
        WHERE log.user_id IS NOT NULL
        GROUP BY 1
    ),
    feedback AS (
        SELECT
            given.user_id::text AS user_id, count(*) AS total,
            count(*) FILTER (WHERE given.feedback_type = 'thumbs_up') AS positive, max(given.created_at) AS latest
        FROM public.ai_feedback AS given
        WHERE given.user_id IS NOT NULL
        GROUP BY 1
    ),
    people AS (
        SELECT known.id::text AS user_id FROM public.users AS known
        UNION SELECT entries.user_id FROM entries
        UNION SELECT calls.user_id FROM calls
        UNION SELECT feedback.user_id FROM feedback
    )
    SELECT
        people.user_id,
        CASE
            WHEN known.is_premium AND (known.tier_expires_at IS NULL OR known.tier_expires_at > now()) THEN 'premium'
            WHEN known.created_at > now() - interval '30 days' THEN 'beta'
            ELSE 'free'
        END AS tier,
        coalesce(entries.total, 0) AS total_entries,
        coalesce(calls.total, 0) AS total_ai_interactions,
        coalesce(calls.tokens, 0) AS total_tokens,
        calls.cost AS total_cost,
        coalesce(calls.days, 0) AS active_ai_days,
        coalesce(feedback.total, 0) AS total_feedback,
        coalesce(feedback.positive, 0) AS positive_feedback,
        greatest(entries.latest, calls.latest, feedback.latest) AS last_activity
    FROM people
    LEFT JOIN public.users AS known ON known.id::text = people.user_id
    LEFT JOIN entries ON entries.user_id = people.user_id
    LEFT JOIN calls ON calls.user_id = people.user_id
    LEFT JOIN feedback ON feedback.user_id = people.user_id;
    COMMENT ON VIEW public.beta_user_engagement IS
        'One row per user known from users, entries, calls or feedback; total_cost is null where nothing has a price. [beta-optimization]';
END
$beta_user_engagement$;

DO $beta_feedback_analysis$
BEGIN
    CREATE OR REPLACE VIEW public.beta_feedback_analysis WITH (security_invoker = true) AS
    SELECT
        (given.created_at AT TIME ZONE 'UTC')::date AS feedback_date,
        given.feedback_type::text AS feedback_type,
        coalesce(given.user_tier::text, 'unknown') AS user_tier,
        count(*) AS feedback_count,
        count(*) FILTER (WHERE given.feedback_text <> '') AS with_text_count,
        count(DISTINCT given.user_id) AS users_count,
        round(avg(log.confidence_score), 3) AS avg_confidence_score,
        round(avg(log.response_time_ms), 1) AS avg_response_time_ms
    FROM public.ai_feedback AS given
    LEFT JOIN public.ai_usage_logs AS log ON log.id = given.ai_usage_log_id
    GROUP BY 1, 2, 3;
    COMMENT ON VIEW public.beta_feedback_analysis IS
        'Feedback per UTC day, kind and tier, beside the confidence and speed of the answers judged. [beta-optimization]';
END
$beta_feedback_analysis$;

DO $said$
BEGIN
    RAISE NOTICE 'views beta_daily_metrics, beta_user_engagement, beta_feedback_analysis: in place, with security_invoker';
END
$said$;

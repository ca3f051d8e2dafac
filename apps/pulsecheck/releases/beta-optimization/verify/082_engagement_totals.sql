-- Proves that beta_user_engagement multiplies nothing: its sums are those of entries, calls, cost and feedback, one row a user.
-- A row shows the totals of both where they differ.
WITH from_view AS (
    SELECT coalesce(sum(total_entries), 0) AS entries, coalesce(sum(total_ai_interactions), 0) AS calls,
           coalesce(sum(total_cost), 0) AS cost, coalesce(sum(total_feedback), 0) AS feedback,
           count(*) - count(DISTINCT user_id) AS repeated
    FROM public.beta_user_engagement
),
from_tables AS (
    SELECT (SELECT count(*) FROM public.journal_entries WHERE user_id IS NOT NULL) AS entries,
           (SELECT count(*) FROM public.ai_usage_logs WHERE user_id IS NOT NULL) AS calls,
           (SELECT coalesce(sum(cost_usd), 0) FROM public.ai_usage_logs WHERE user_id IS NOT NULL) AS cost,
           (SELECT count(*) FROM public.ai_feedback WHERE user_id IS NOT NULL) AS feedback
)
SELECT from_view.entries AS entries_in_view, from_tables.entries, from_view.calls AS calls_in_view, from_tables.calls,
       from_view.cost AS cost_in_view, from_tables.cost, from_view.feedback AS feedback_in_view, from_tables.feedback,
       from_view.repeated AS users_repeated
FROM from_view CROSS JOIN from_tables
WHERE (from_view.entries, from_view.calls, from_view.cost, from_view.feedback, from_view.repeated)
    IS DISTINCT FROM (from_tables.entries, from_tables.calls, from_tables.cost, from_tables.feedback, 0::bigint);

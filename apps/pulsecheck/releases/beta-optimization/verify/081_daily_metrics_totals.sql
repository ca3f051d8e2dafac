-- Proves that beta_daily_metrics adds up to ai_usage_logs: calls, cost, errors and the number of days.
-- A row shows the totals of both where they differ.
WITH from_view AS (
    SELECT coalesce(sum(total_ai_interactions), 0) AS calls, coalesce(sum(total_daily_cost), 0) AS cost,
           coalesce(sum(error_count), 0) AS errors, count(*) AS days
    FROM public.beta_daily_metrics
),
from_table AS (
    SELECT count(*) AS calls, coalesce(sum(cost_usd), 0) AS cost, count(*) FILTER (WHERE NOT success) AS errors,
           count(DISTINCT (created_at AT TIME ZONE 'UTC')::date) AS days
    FROM public.ai_usage_logs
)
SELECT from_view.calls AS calls_in_view, from_table.calls, from_view.cost AS cost_in_view, from_table.cost,
       from_view.errors AS errors_in_view, from_table.errors, from_view.days AS days_in_view, from_table.days
FROM from_view CROSS JOIN from_table
WHERE (from_view.calls, from_view.cost, from_view.errors, from_view.days)
    IS DISTINCT FROM (from_table.calls, from_table.cost, from_table.errors, from_table.days);

-- Proves that beta_feedback_analysis counts every row of ai_feedback once, in each kind.
-- A row shows a kind of feedback of which the view has more or fewer.
SELECT coalesce(from_view.feedback_type, from_table.feedback_type) AS feedback_type, from_view.total AS in_view, from_table.total
FROM (
    SELECT feedback_type, sum(feedback_count) AS total FROM public.beta_feedback_analysis GROUP BY 1
) AS from_view
FULL JOIN (
    SELECT feedback_type::text AS feedback_type, count(*) AS total FROM public.ai_feedback GROUP BY 1
) AS from_table ON from_table.feedback_type = from_view.feedback_type
WHERE from_view.total IS DISTINCT FROM from_table.total
ORDER BY 1;

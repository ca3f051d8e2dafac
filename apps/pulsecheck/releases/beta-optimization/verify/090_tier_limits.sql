-- Proves that the three tiers have the limits that the release promises.
-- A row shows a tier whose limits are others, or that is missing.
SELECT promised.tier_name, found.daily_ai_limit, found.context_depth, found.summary_access, found.max_tokens_per_request
FROM (VALUES ('free', 5, 3, false, 500), ('beta', 20, 5, true, 800), ('premium', 50, 7, true, 1200))
    AS promised (tier_name, daily_ai_limit, context_depth, summary_access, max_tokens_per_request)
LEFT JOIN public.user_tier_limits AS found ON found.tier_name = promised.tier_name
WHERE (found.daily_ai_limit, found.context_depth, found.summary_access, found.max_tokens_per_request)
    IS DISTINCT FROM (promised.daily_ai_limit, promised.context_depth, promised.summary_access, promised.max_tokens_per_request)
ORDER BY 1;

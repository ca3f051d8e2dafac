-- Proves that get_user_tier_info, really called for up to 100 users of each tier and for callers not in users, gives one right row.
-- A row shows who was asked for, and what came back beside what the tier rule says.
WITH ruled AS (
    SELECT
        u.id::text AS user_id,
        CASE
            WHEN u.is_premium AND (u.tier_expires_at IS NULL OR u.tier_expires_at > now()) THEN 'premium'
            WHEN u.created_at > now() - interval '30 days' THEN 'beta'
            ELSE 'free'
        END AS tier
    FROM public.users AS u
),
asked AS (
    SELECT numbered.user_id, numbered.tier
    FROM (SELECT ruled.*, row_number() OVER (PARTITION BY ruled.tier ORDER BY ruled.user_id) AS place FROM ruled) AS numbered
    WHERE numbered.place <= 100
    UNION ALL
    SELECT stranger.user_id, 'free'
    FROM (VALUES ('nobody-' || gen_random_uuid()), (gen_random_uuid()::text), ('nobody@example.invalid')) AS stranger (user_id)
),
answered AS (
    SELECT asked.user_id, asked.tier, count(info.user_id) AS answers, min(info.tier) AS said,
           bool_and(info.user_id = asked.user_id AND info.ai_used_today >= 0 AND info.daily_ai_limit IS NOT NULL
                    AND info.context_depth IS NOT NULL AND info.summary_access IS NOT NULL
                    AND info.max_tokens_per_request IS NOT NULL) AS complete
    FROM asked
    LEFT JOIN LATERAL public.get_user_tier_info(asked.user_id) AS info ON true
    GROUP BY 1, 2
)
SELECT user_id, tier AS tier_by_rule, said AS tier_said, answers, complete
FROM answered
WHERE answers <> 1 OR said IS DISTINCT FROM tier OR complete IS NOT TRUE
ORDER BY 1;

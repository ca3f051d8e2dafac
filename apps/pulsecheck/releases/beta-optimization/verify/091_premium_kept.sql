-- Proves that nobody who has paid was demoted: a paid period that has not ended goes with the flag, and the flag with the tier.
-- A row names a user (by id) who has one without the other. A flag that was taken away together with its date leaves no trace here.
WITH paid AS MATERIALIZED (
    SELECT u.id::text AS user_id, u.is_premium, u.tier_expires_at
    FROM public.users AS u
    WHERE u.tier_expires_at > now() OR (u.is_premium AND u.tier_expires_at IS NULL)
)
SELECT paid.user_id, paid.is_premium, paid.tier_expires_at, info.tier AS tier_said
FROM paid
CROSS JOIN LATERAL public.get_user_tier_info(paid.user_id) AS info
WHERE paid.is_premium IS NOT TRUE OR info.tier IS DISTINCT FROM 'premium'
ORDER BY 1;

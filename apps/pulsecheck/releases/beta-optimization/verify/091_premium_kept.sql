-- Proves that nobody who has paid was demoted: a paid period that has not ended goes with the flag, and the flag with the tier.
-- A row names a user (by id) who has one without the other. A flag that was taken away together with its date leaves no trace here.
SELECT u.id::text AS user_id, u.is_premium, u.tier_expires_at, info.tier AS tier_said
FROM public.users AS u
CROSS JOIN LATERAL public.get_user_tier_info(u.id::text) AS info
WHERE (u.tier_expires_at > now() AND u.is_premium IS NOT TRUE)
   OR (u.is_premium AND (u.tier_expires_at IS NULL OR u.tier_expires_at > now()) AND info.tier IS DISTINCT FROM 'premium')
ORDER BY 1;

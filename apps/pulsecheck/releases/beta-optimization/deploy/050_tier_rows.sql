-- The limits of the three tiers. A row that is there is kept as it is: somebody may have tuned it. Verification says
-- where it differs from what the release promises.

DO $tiers$
DECLARE
    inserted text[];
    remark text := pg_catalog.obj_description('public.user_tier_limits'::regclass, 'pg_class');
    found_note text;
BEGIN
    WITH added AS (
        INSERT INTO public.user_tier_limits (tier_name, daily_ai_limit, context_depth, summary_access, max_tokens_per_request)
        VALUES ('free', 5, 3, false, 500), ('beta', 20, 5, true, 800), ('premium', 50, 7, true, 1200)
        ON CONFLICT (tier_name) DO NOTHING
        RETURNING tier_name
    )
    SELECT array_agg(tier_name::text ORDER BY tier_name) INTO inserted FROM added;

    RAISE NOTICE 'user_tier_limits: rows added: %', coalesce(array_to_string(inserted, ', '), 'none, all were there');

    -- In a table that was there before, the rollback must know which rows are ours.
    found_note := substring(remark FROM '\[beta-optimization found: (.*)\]$');
    IF inserted IS NOT NULL AND found_note IS NOT NULL THEN
        EXECUTE format('COMMENT ON TABLE public.user_tier_limits IS %L',
            regexp_replace(remark, '\[beta-optimization found: .*\]$', '') || '[beta-optimization found: '
            || (found_note::jsonb || jsonb_build_object(
                    'tiers', coalesce(found_note::jsonb -> 'tiers', '[]'::jsonb) || to_jsonb(inserted)))::text
            || ']');
    END IF;
END
$tiers$;

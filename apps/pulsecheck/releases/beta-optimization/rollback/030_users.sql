-- Takes back the columns that this release added to users (a column that was there before has no mark and stays), and
-- the rights on columns of the old tables that it granted to service_role.

DO $columns$
DECLARE
    gone record;
BEGIN
    FOR gone IN
        SELECT a.attname
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = to_regclass('public.users') AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attname IN ('is_premium', 'tier_expires_at', 'daily_ai_usage', 'daily_usage_reset_at')
          AND pg_catalog.col_description(a.attrelid, a.attnum) LIKE '%[beta-optimization]'
        ORDER BY a.attnum DESC
    LOOP
        EXECUTE format('ALTER TABLE public.users DROP COLUMN %I', gone.attname);
        RAISE NOTICE 'users.%: removed', gone.attname;
    END LOOP;
END
$columns$;

DO $rights$
DECLARE
    granted record;
    note jsonb;
    privilege text;
BEGIN
    FOR granted IN
        SELECT c.relname, a.attname, pg_catalog.col_description(c.oid, a.attnum) AS remark
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.oid IN (to_regclass('public.users'), to_regclass('public.journal_entries'))
          AND pg_catalog.col_description(c.oid, a.attnum) ~ '\[beta-optimization found: .*\]$'
        ORDER BY c.relname, a.attnum
    LOOP
        note := substring(granted.remark FROM '\[beta-optimization found: (.*)\]$')::jsonb;
        FOR privilege IN SELECT jsonb_array_elements_text(note -> 'granted') LOOP
            EXECUTE format('REVOKE %s (%I) ON public.%I FROM service_role', privilege, granted.attname, granted.relname);
        END LOOP;
        EXECUTE format('COMMENT ON COLUMN public.%I.%I IS %s', granted.relname, granted.attname,
            CASE WHEN (note ->> 'comment')::boolean
                 THEN quote_literal(regexp_replace(granted.remark, ' \[beta-optimization found: .*\]$', ''))
                 ELSE 'NULL' END);
        RAISE NOTICE '%.%: rights as before', granted.relname, granted.attname;
    END LOOP;
END
$rights$;

DO $done$
BEGIN
    RAISE NOTICE 'beta-optimization: nothing that bears its mark is left; journal entries and the rows of users were not touched';
END
$done$;

-- Adds the tier columns to users. New columns have constant defaults: no row is rewritten, and nobody's tier changes.
-- A column that is there already is kept with its values, so a second run demotes nobody.

DO $users$
DECLARE
    added record;
    new_columns text[] := '{}';
    kept_columns text[] := '{}';
    writers text;
BEGIN
    FOR added IN
        SELECT * FROM (VALUES
            ('is_premium', 'boolean NOT NULL DEFAULT false', 'Paid tier; ends at tier_expires_at, or never where that is null.'),
            ('tier_expires_at', 'timestamptz', 'End of the paid tier; null: no end.'),
            ('daily_ai_usage', 'integer NOT NULL DEFAULT 0', 'Counter of the app; reset_daily_usage_counters() sets it to 0.'),
            ('daily_usage_reset_at', 'timestamptz', 'Last reset; calls before it do not count against the limit of the day.')
        ) AS wanted (column_name, definition, meaning)
    LOOP
        IF EXISTS (SELECT 1 FROM pg_catalog.pg_attribute AS a
                   WHERE a.attrelid = 'public.users'::regclass AND a.attname = added.column_name AND NOT a.attisdropped) THEN
            kept_columns := kept_columns || added.column_name;
        ELSE
            EXECUTE format('ALTER TABLE public.users ADD COLUMN %I %s', added.column_name, added.definition);
            EXECUTE format('COMMENT ON COLUMN public.users.%I IS %L', added.column_name,
                           added.meaning || ' [beta-optimization]');
            new_columns := new_columns || added.column_name;
        END IF;
    END LOOP;
    RAISE NOTICE 'users: columns added: %; found and kept: %',
        coalesce(nullif(array_to_string(new_columns, ', '), ''), 'none'),
        coalesce(nullif(array_to_string(kept_columns, ', '), ''), 'none');

    -- A grant on the whole table reaches its new columns too.
    SELECT string_agg(r.rolname, ' and ' ORDER BY r.rolname) INTO writers
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname IN ('anon', 'authenticated')
      AND pg_catalog.has_column_privilege(r.rolname, 'public.users', 'is_premium', 'UPDATE');
    IF writers IS NOT NULL THEN
        RAISE WARNING 'users.is_premium: % may UPDATE the table users, so only its row level security (%) stands between '
            'a user and the paid tier', writers,
            (SELECT CASE WHEN relrowsecurity THEN 'on' ELSE 'OFF' END FROM pg_catalog.pg_class WHERE oid = 'public.users'::regclass);
    END IF;
END
$users$;

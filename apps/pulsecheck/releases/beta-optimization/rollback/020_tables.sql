-- Takes back the tables that this release made. A table that was there before keeps its rows; only what the release
-- added to it goes: columns, indexes, policies, tier rows, row level security and rights, by the note in its comment.

DO $tables$
DECLARE
    gone record;
BEGIN
    -- ai_feedback first, because it refers to ai_usage_logs.
    FOR gone IN
        SELECT ours.name
        FROM (VALUES (1, 'ai_feedback'), (2, 'daily_usage_quotas'), (3, 'journal_summaries'), (4, 'ai_usage_logs'),
                     (5, 'user_tier_limits')) AS ours (place, name)
        WHERE pg_catalog.obj_description(to_regclass('public.' || ours.name), 'pg_class') LIKE '%[beta-optimization]'
        ORDER BY ours.place
    LOOP
        EXECUTE format('DROP TABLE public.%I', gone.name);
        RAISE NOTICE 'table %: removed', gone.name;
    END LOOP;
END
$tables$;

DO $kept_tables$
DECLARE
    kept record;
    part record;
    note jsonb;
BEGIN
    FOR kept IN
        SELECT c.oid, c.relname, c.relowner, pg_catalog.obj_description(c.oid, 'pg_class') AS remark
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relname IN ('user_tier_limits', 'journal_summaries', 'ai_usage_logs', 'ai_feedback', 'daily_usage_quotas')
          AND pg_catalog.obj_description(c.oid, 'pg_class') ~ '\[beta-optimization found: .*\]$'
        ORDER BY c.relname
    LOOP
        note := substring(kept.remark FROM '\[beta-optimization found: (.*)\]$')::jsonb;

        IF note ? 'tiers' THEN
            EXECUTE 'DELETE FROM public.user_tier_limits WHERE tier_name IN (SELECT jsonb_array_elements_text($1))'
                USING note -> 'tiers';
        END IF;

        FOR part IN
            SELECT format('DROP POLICY %I ON public.%I', p.polname, kept.relname) AS statement
            FROM pg_catalog.pg_policy AS p
            WHERE p.polrelid = kept.oid AND pg_catalog.obj_description(p.oid, 'pg_policy') = '[beta-optimization]'
            UNION ALL
            SELECT format('DROP INDEX public.%I', x.relname)
            FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
            WHERE i.indrelid = kept.oid AND pg_catalog.obj_description(i.indexrelid, 'pg_class') = '[beta-optimization]'
        LOOP
            EXECUTE part.statement;
        END LOOP;
        FOR part IN
            SELECT format('ALTER TABLE public.%I DROP COLUMN %I', kept.relname, a.attname) AS statement
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = kept.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND pg_catalog.col_description(kept.oid, a.attnum) = '[beta-optimization]'
            ORDER BY a.attnum DESC
        LOOP
            EXECUTE part.statement;
        END LOOP;

        IF NOT (note ->> 'rls')::boolean THEN
            EXECUTE format('ALTER TABLE public.%I DISABLE ROW LEVEL SECURITY', kept.relname);
        END IF;

        -- The rights as they were: first nobody's but the owner's, then each of the noted ones.
        FOR part IN
            SELECT DISTINCT format('REVOKE ALL ON public.%I FROM %s', kept.relname,
                CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END) AS statement
            FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS acl
            WHERE c.oid = kept.oid AND acl.grantee <> kept.relowner
        LOOP
            EXECUTE part.statement;
        END LOOP;
        FOR part IN
            SELECT format('GRANT %s ON public.%I TO %s%s', acl.privilege_type, kept.relname,
                CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END,
                CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
            FROM pg_catalog.aclexplode((note ->> 'acl')::aclitem[]) AS acl
            WHERE acl.grantee <> kept.relowner
        LOOP
            EXECUTE part.statement;
        END LOOP;

        EXECUTE format('COMMENT ON TABLE public.%I IS %s', kept.relname,
            CASE WHEN (note ->> 'comment')::boolean
                 THEN quote_literal(regexp_replace(kept.remark, ' \[beta-optimization found: .*\]$', ''))
                 ELSE 'NULL' END);
        RAISE NOTICE 'table %: was there before the release; kept with its rows, and as it was', kept.relname;
    END LOOP;
END
$kept_tables$;

-- Gives back what was set aside. From a table that was there before the release goes only what the release added to it:
-- columns, indexes, policies, tier rows, row level security and rights, by the note in its comment. Then the rights on
-- the old tables' columns that were granted to service_role are taken back, and all names are what they were.

DO $give_back$
DECLARE
    kept record;
    part record;
    note jsonb;
    other record;
    granted record;
    privilege text;
BEGIN
    FOR kept IN
        SELECT c.oid, c.relname, c.relowner, pg_catalog.obj_description(c.oid, 'pg_class') AS remark
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relname IN ('user_tier_limits_not_of_beta_optimization', 'journal_summaries_not_of_beta_optimization',
                            'ai_usage_logs_not_of_beta_optimization', 'ai_feedback_not_of_beta_optimization',
                            'daily_usage_quotas_not_of_beta_optimization')
          AND pg_catalog.obj_description(c.oid, 'pg_class') ~ '\[beta-optimization found: .*\]$'
        ORDER BY c.relname
    LOOP
        note := substring(kept.remark FROM '\[beta-optimization found: (.*)\]$')::jsonb;

        IF note ? 'tiers' THEN
            EXECUTE format('DELETE FROM public.%I WHERE tier_name IN (SELECT jsonb_array_elements_text($1))', kept.relname)
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
        RAISE NOTICE 'table %: was there before the release; kept with its rows, and as it was',
            replace(kept.relname, '_not_of_beta_optimization', '');
    END LOOP;

    -- The names: those set aside by this rollback, and those that the deploy had moved out of its way.
    FOR other IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS object, c.relname::text AS name
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND c.relname LIKE ANY (ARRAY['%\_before\_beta\_optimization', '%\_not\_of\_beta\_optimization'])
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, p.proname::text
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
          AND p.proname LIKE ANY (ARRAY['%\_before\_beta\_optimization', '%\_not\_of\_beta\_optimization'])
    LOOP
        EXECUTE format('ALTER %s %s RENAME TO %I', other.kind, other.object,
                       regexp_replace(other.name, '_(before|not_of)_beta_optimization$', ''));
    END LOOP;
    FOR other IN
        SELECT a.attname::text AS name
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = to_regclass('public.users') AND NOT a.attisdropped
          AND a.attname LIKE '%\_not\_of\_beta\_optimization'
    LOOP
        EXECUTE format('ALTER TABLE public.users RENAME COLUMN %I TO %I', other.name,
                       replace(other.name, '_not_of_beta_optimization', ''));
    END LOOP;

    -- The rights on columns of the old tables.
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
    END LOOP;
    RAISE NOTICE 'beta-optimization: nothing that bears its mark is left; journal entries and the rows of users were not touched';
END
$give_back$;

-- Makes the role @name@, which reads what the release cockpit looks at, and none of the words that people wrote.
-- Run it as the owner of the tables (on Supabase: in the SQL editor), as often as you like; it ends with what can be read.
-- It changes no row and no table. Where everybody (PUBLIC) holds a right by which this role could write or read more,
-- that right goes to each role that is there now by its name, and PUBLIC loses it; the SQL that takes this role back
-- gives it back.
DO $ops_reader$
DECLARE
    reader constant text := @role@;
    mark constant text := @mark@;
    -- What the password is checked by, and not the password. NULL: the role keeps the one it has.
    verifier constant text := @verifier@;
    -- What it may read; "*" stands for all columns. Tables and columns that are not there yet are left out.
    columns constant jsonb := @columns@;
    settings constant jsonb := '{
        "default_transaction_read_only": "on", "statement_timeout": "30s", "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "60s", "search_path": "pg_catalog, public"}';
    noted jsonb := '[]';
    others text[];
    remark text;
    one record;
BEGIN
    -- Whoever waits for a lock makes others wait behind it.
    PERFORM pg_catalog.set_config('lock_timeout', '3s', true);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);

    -- The role itself.
    SELECT pg_catalog.shobj_description(r.oid, 'pg_authid') INTO remark FROM pg_catalog.pg_roles AS r WHERE r.rolname = reader;
    IF NOT FOUND THEN
        IF verifier IS NULL THEN
            RAISE EXCEPTION 'there is no role % here yet: take the SQL that sets a password', reader;
        END IF;
        EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', reader);
    ELSIF coalesce(remark, '') NOT LIKE mark || '%' THEN
        RAISE EXCEPTION 'the role % was made by somebody else, and is left as it is', reader
            USING HINT = 'Rename it, or choose another name for the reader.';
    ELSE
        noted := coalesce(nullif(substr(remark, length(mark) + 1), '')::jsonb, '[]');
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN CONNECTION LIMIT 15', reader);
    IF verifier IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', reader, verifier);
    END IF;
    FOR one IN SELECT key, value FROM jsonb_each_text(settings) LOOP
        -- search_path is a list: as one string it would name one schema.
        EXECUTE format(CASE one.key WHEN 'search_path' THEN 'ALTER ROLE %I SET %I = %s' ELSE 'ALTER ROLE %I SET %I = %L' END,
                       reader, one.key, one.value);
    END LOOP;

    -- What it holds by an earlier run goes first, so that a column that has become private is shut.
    FOR one IN
        SELECT DISTINCT format('TABLE %s', c.oid::regclass) AS object
        FROM pg_class AS c
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
        CROSS JOIN LATERAL aclexplode(c.relacl || a.attacl) AS held
        WHERE held.grantee = reader::regrole AND pg_has_role(c.relowner, 'USAGE')
        UNION ALL
        SELECT format('ROUTINE %s', p.oid::regprocedure)
        FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS held
        WHERE held.grantee = reader::regrole AND pg_has_role(p.proowner, 'USAGE')
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %I', one.object, reader);
    END LOOP;

    -- Rights of everybody.
    FOR one IN
        SELECT held.object, held.privilege, held.acl
        FROM (
            SELECT format('ROUTINE %s', p.oid::regprocedure) AS object, x.privilege_type AS privilege,
                   coalesce(p.proacl, acldefault('f', p.proowner)) AS acl, p.proowner AS owner, p.pronamespace AS space,
                   'pg_proc'::regclass AS catalog, p.oid
            FROM pg_proc AS p
            CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS x
            WHERE x.grantee = 0 AND p.prosecdef AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
            UNION ALL
            SELECT format('SCHEMA %I', n.nspname), x.privilege_type, n.nspacl, n.nspowner, n.oid, 'pg_namespace'::regclass, n.oid
            FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS x
            WHERE x.grantee = 0 AND x.privilege_type = 'CREATE'
            UNION ALL
            SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass),
                   x.privilege_type, c.relacl, c.relowner, c.relnamespace, 'pg_class'::regclass, c.oid
            FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS x
            WHERE x.grantee = 0
            UNION ALL
            SELECT format('TABLE %s', c.oid::regclass), format('%s (%I)', x.privilege_type, a.attname), a.attacl,
                   c.relowner, c.relnamespace, 'pg_class'::regclass, c.oid
            FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
            CROSS JOIN LATERAL aclexplode(a.attacl) AS x
            WHERE x.grantee = 0
        ) AS held
        JOIN pg_namespace AS n ON n.oid = held.space
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(held.owner, 'USAGE')
          AND NOT EXISTS (SELECT FROM pg_depend AS d
                          WHERE d.classid = held.catalog AND d.objid = held.oid AND d.deptype = 'e')
        ORDER BY 1, 2
    LOOP
        SELECT array_agg(r.rolname::text ORDER BY r.rolname) INTO others
        FROM pg_roles AS r
        WHERE NOT r.rolsuper AND r.rolname !~ '^pg_' AND r.rolname <> reader
          AND NOT EXISTS (SELECT FROM aclexplode(one.acl) AS x
                          WHERE x.grantee = r.oid AND x.privilege_type = split_part(one.privilege, ' ', 1));
        EXECUTE format('GRANT %s ON %s TO %s', one.privilege, one.object,
                       (SELECT string_agg(quote_ident(name), ', ') FROM unnest(others) AS name));
        EXECUTE format('REVOKE %s ON %s FROM PUBLIC', one.privilege, one.object);
        noted := noted || jsonb_build_object('object', one.object, 'privilege', one.privilege, 'roles', others);
        RAISE NOTICE 'PUBLIC had % on %: now the roles that are there have it by name', one.privilege, one.object;
    END LOOP;
    EXECUTE format('COMMENT ON ROLE %I IS %L', reader, mark || noted::text);

    -- What it may read: columns by name, and the rows of tables that are under row-level security.
    IF NOT has_database_privilege(reader, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), reader);
    END IF;
    FOR one IN
        SELECT c.oid, c.oid::regclass::text AS name, n.nspname AS space, c.relrowsecurity AS shut,
               c.relkind IN ('r', 'p') AS is_table, pg_has_role(c.relowner, 'USAGE') AS ours,
               string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns,
               EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = @policy@) AS has_policy
        FROM jsonb_each(columns) AS wanted
        JOIN pg_namespace AS n ON n.nspname = split_part(wanted.key, '.', 1)
        JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = split_part(wanted.key, '.', 2)
             AND c.relkind IN ('r', 'p', 'v', 'm')
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             AND (wanted.value ? a.attname OR wanted.value ? '*')
        GROUP BY 1, 2, 3, 4, 5, 6, 8
    LOOP
        IF NOT one.ours THEN
            RAISE WARNING '% belongs to another role than %, so its owner has to grant it', one.name, current_user;
            CONTINUE;
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', one.space, reader);
        EXECUTE format('GRANT SELECT (%s) ON %s TO %I', one.columns, one.name, reader);
        -- Under row-level security a role without a policy of its own reads no row, and is not told.
        IF one.is_table AND one.shut AND NOT one.has_policy THEN
            EXECUTE format('CREATE POLICY %I ON %s FOR SELECT TO %I USING (true)', @policy@, one.name, reader);
        ELSIF one.is_table AND NOT one.shut AND one.has_policy THEN
            EXECUTE format('DROP POLICY %I ON %s', @policy@, one.name);
        END IF;
    END LOOP;

    -- Functions that only compute, with their caller's rights: nothing is reached by them that it may not read itself.
    FOR one IN
        SELECT p.oid::regprocedure::text AS name
        FROM pg_proc AS p
        WHERE p.pronamespace = to_regnamespace('public') AND p.prokind = 'f' AND p.provolatile <> 'v' AND NOT p.prosecdef
          AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
          AND pg_has_role(p.proowner, 'USAGE') AND NOT has_function_privilege(reader, p.oid, 'EXECUTE')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', one.name, reader);
    END LOOP;
END
$ops_reader$;

-- What it reads now.
SELECT c.oid::pg_catalog.regclass AS reads, pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS held
WHERE held.grantee = (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = @role@)
GROUP BY c.oid
ORDER BY 1;

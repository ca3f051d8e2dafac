-- Takes the role @name@ back: its sessions end, its grants and policies go, PUBLIC has again what it had, and no trace
-- of it is left. Run it as the role that made it; running it again changes nothing.
DO $ops_reader$
DECLARE
    reader constant text := @role@;
    mark constant text := @mark@;
    remark text;
    one record;
    still text;
BEGIN
    PERFORM pg_catalog.set_config('lock_timeout', '3s', true);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
    SELECT pg_catalog.shobj_description(r.oid, 'pg_authid') INTO remark FROM pg_catalog.pg_roles AS r WHERE r.rolname = reader;
    IF NOT FOUND THEN
        RAISE NOTICE 'there is no role %: nothing is to be taken back', reader;
        RETURN;
    ELSIF coalesce(remark, '') NOT LIKE mark || '%' THEN
        RAISE EXCEPTION 'the role % was made by somebody else, and is left as it is', reader;
    END IF;

    -- What belongs to it would be dropped with it: only large objects and temporary tables of its own making may be.
    SELECT string_agg(pg_describe_object(d.classid, d.objid, 0), ', ') INTO still
    FROM pg_shdepend AS d
    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = reader::regrole AND d.deptype = 'o'
      AND d.classid <> 'pg_largeobject'::regclass AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND NOT EXISTS (SELECT FROM pg_class AS c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relpersistence = 't');
    IF still IS NOT NULL THEN
        RAISE EXCEPTION 'the role % owns %, which would be dropped with it', reader, still
            USING HINT = 'Give it another owner first. Nothing was changed.';
    END IF;

    FOR one IN
        SELECT noted ->> 'object' AS object, noted ->> 'privilege' AS privilege,
               ARRAY(SELECT jsonb_array_elements_text(noted -> 'roles')) AS roles
        FROM jsonb_array_elements(coalesce(nullif(substr(remark, length(mark) + 1), '')::jsonb, '[]')) AS noted
    LOOP
        SELECT string_agg(quote_ident(r.rolname), ', ') INTO still FROM pg_roles AS r WHERE r.rolname = ANY (one.roles);
        BEGIN
            EXECUTE format('GRANT %s ON %s TO PUBLIC', one.privilege, one.object);
            IF still IS NOT NULL THEN
                EXECUTE format('REVOKE %s ON %s FROM %s', one.privilege, one.object, still);
            END IF;
        EXCEPTION WHEN undefined_table OR undefined_function OR undefined_column OR undefined_object OR invalid_schema_name THEN
            RAISE NOTICE '% is no longer there: its rights went with it', one.object;
        END;
    END LOOP;

    -- Only a member may end its sessions and drop what it owns; the membership goes with the role.
    EXECUTE format('GRANT %I TO %I', reader, current_user);
    PERFORM pg_terminate_backend(a.pid) FROM pg_stat_activity AS a WHERE a.usename = reader AND a.pid <> pg_backend_pid();
    EXECUTE format('DROP OWNED BY %I', reader);
    EXECUTE format('DROP ROLE %I', reader);
END
$ops_reader$;

BEGIN;
-- This file is UTF-8, whatever the client takes for granted (psql on Windows does not).
SET LOCAL client_encoding = 'UTF8';
{{limits}}
-- By what is in it nothing can be committed, see the end of this file. A client that undoes what fails and goes on with
-- the rest (psql with ON_ERROR_ROLLBACK) would else commit past every check.
CREATE TEMPORARY TABLE ops_unchecked (why text UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP;
DO ${{tag}}$
BEGIN
  IF (SELECT xmin::text FROM pg_catalog.pg_class WHERE oid = 'pg_temp.ops_unchecked'::pg_catalog.regclass)
     <> (pg_catalog.pg_current_xact_id()::text::numeric % 4294967296)::text THEN
    RAISE EXCEPTION 'this client undoes what fails and goes on with the rest: %', {{unchanged}}
      USING HINT = 'With psql: psql -v ON_ERROR_ROLLBACK=off -v ON_ERROR_STOP=1 -f FILE';
  END IF;
  IF current_user <> {{role}} THEN
    RAISE EXCEPTION 'this script was rehearsed as %, and runs as %: %', {{role}}, current_user, {{unchanged}};
  END IF;
  IF NOT pg_catalog.pg_try_advisory_xact_lock({{lock}}) THEN
    RAISE EXCEPTION 'another deploy or rollback is under way on this database: %', {{unchanged}}
      USING HINT = 'Wait for it to end, then run this file again.';
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'ops'
             AND pg_catalog.obj_description(oid, 'pg_namespace') IS DISTINCT FROM {{mark}}) THEN
    RAISE EXCEPTION 'the database has a schema named ops that was not made by the release cockpit: %', {{unchanged}}
      USING HINT = 'Rename that schema, then run this file again.';
  END IF;
END
${{tag}}$;

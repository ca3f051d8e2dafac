BEGIN;
-- This file is UTF-8, whatever the client takes for granted (psql on Windows does not).
SET LOCAL client_encoding = 'UTF8';
{{limits}}
DO ${{tag}}$
BEGIN
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

DO $ops$
BEGIN
  IF pg_temp.ops_catalog_digest() <> {{expected}} THEN
    RAISE EXCEPTION 'the catalog has not become the rehearsed one: nothing was changed';
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'ops')
     AND pg_catalog.to_regclass('ops.deploy_receipts') IS NULL THEN
    RAISE EXCEPTION 'there is a schema named ops that is not ours: nothing was changed';
  END IF;
END
$ops$;
{{schema}}
INSERT INTO ops.deploy_receipts (id, job_id, release_id, plan_hash, actor, statements, fingerprint_before, facts_before,
                                 fingerprint_after, facts_after)
VALUES ({{id}}, {{job}}, {{release}}, {{plan}}, {{actor}}, {{statements}}, {{before}}, {{facts_before}},
        {{expected}}, {{facts_after}});
{{listings}}
DO $ops$
DECLARE
  one record;
BEGIN
  -- Nobody but the owner holds rights here, and the role that reads for the release cockpit sees the receipts.
  FOR one IN
    SELECT DISTINCT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE x.grantee::pg_catalog.regrole::text END AS grantee
    FROM (SELECT relacl AS acl, relowner AS owner FROM pg_catalog.pg_class
          WHERE relnamespace = 'ops'::pg_catalog.regnamespace
          UNION ALL SELECT nspacl, nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'ops') o,
         pg_catalog.aclexplode(o.acl) x
    WHERE x.grantee <> o.owner
  LOOP
    EXECUTE 'REVOKE ALL ON SCHEMA ops FROM ' || one.grantee;
    EXECUTE 'REVOKE ALL ON ALL TABLES IN SCHEMA ops FROM ' || one.grantee;
  END LOOP;
  FOR one IN SELECT oid::pg_catalog.regrole::text AS name FROM pg_catalog.pg_roles
             WHERE rolname ~ '^ops_reader(_[a-z0-9_]+)?$' LOOP
    EXECUTE 'GRANT USAGE ON SCHEMA ops TO ' || one.name;
    EXECUTE 'GRANT SELECT ON ops.deploy_receipts TO ' || one.name;
  END LOOP;
END
$ops$;
NOTIFY pgrst, 'reload schema';

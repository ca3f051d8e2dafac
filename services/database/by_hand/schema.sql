{{schema}}
DO ${{tag}}$
DECLARE
  one record;
BEGIN
  -- Nobody but the owner holds rights here, and the role that reads for the release cockpit sees the receipts.
  FOR one IN
    SELECT DISTINCT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE x.grantee::pg_catalog.regrole::text END AS grantee
    FROM (SELECT relacl AS acl, relowner AS owner FROM pg_catalog.pg_class
          WHERE relnamespace = 'ops'::pg_catalog.regnamespace
          UNION ALL SELECT nspacl, nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'ops') o,
         pg_catalog.aclexplode(o.acl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
    WHERE x.grantee <> o.owner AND COALESCE(r.rolname !~ '^ops_reader(_[a-z0-9_]+)?$', true)
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
${{tag}}$;

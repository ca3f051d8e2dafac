-- Who may do what, as (topic, object, fact), with search_path empty. Only strangers' rights are told: those of PUBLIC and of
-- the two roles by which the outside comes. Left out: system schemas, members of extensions, our own schema ops.
WITH strangers AS MATERIALIZED (
  SELECT 0::pg_catalog.oid AS oid, 'public'::text AS name
  UNION ALL SELECT oid, rolname::text FROM pg_catalog.pg_roles WHERE rolname IN ('anon', 'authenticated')
), spaces AS MATERIALIZED (
  SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'ops')
), members AS MATERIALIZED (
  SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), relations AS MATERIALIZED (
  SELECT c.*, pg_catalog.format('%I.%I', s.nspname, c.relname) AS name, s.nspname
  FROM pg_catalog.pg_class c JOIN spaces s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND NOT EXISTS (
    SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.objid = c.oid)
)
SELECT 'schema', s.nspname::text, pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(s.nspowner),
    'rights', (SELECT pg_catalog.jsonb_agg(DISTINCT ARRAY[g.name, x.privilege_type]) FROM strangers g,
               pg_catalog.aclexplode(COALESCE(s.nspacl, pg_catalog.acldefault('n', s.nspowner))) x WHERE x.grantee = g.oid))
  FROM spaces s
UNION ALL
SELECT 'relation', r.name, pg_catalog.jsonb_build_object(
    'schema', r.nspname, 'kind', r.relkind, 'owner', pg_catalog.pg_get_userbyid(r.relowner),
    'rls', r.relrowsecurity, 'forced', r.relforcerowsecurity,
    'invoker', COALESCE(r.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1',
                        'security_invoker=yes'], false),
    'columns', CASE WHEN r.relkind IN ('v', 'm') THEN (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum)
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
    'rights', (SELECT pg_catalog.jsonb_agg(DISTINCT ARRAY[g.name, x.privilege_type]) FROM strangers g,
               pg_catalog.aclexplode(r.relacl) x WHERE x.grantee = g.oid),
    'column_rights', (SELECT pg_catalog.jsonb_agg(DISTINCT ARRAY[g.name, x.privilege_type]) FROM strangers g,
               pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) x
               WHERE a.attrelid = r.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped AND x.grantee = g.oid))
  FROM relations r
UNION ALL
SELECT 'policy', r.name || '.' || p.polname, pg_catalog.jsonb_build_object(
    'relation', r.name, 'command', p.polcmd, 'permissive', p.polpermissive,
    'roles', ARRAY(SELECT CASE WHEN o = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(o)::text END
                   FROM pg_catalog.unnest(p.polroles) o ORDER BY 1),
    'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_catalog.pg_policy p JOIN relations r ON r.oid = p.polrelid
UNION ALL
SELECT 'function', p.oid::pg_catalog.regprocedure::text, pg_catalog.jsonb_build_object(
    'schema', s.nspname, 'owner', pg_catalog.pg_get_userbyid(p.proowner), 'definer', p.prosecdef,
    'path', EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) v WHERE v LIKE 'search_path=%'),
    'trigger', p.prorettype IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype),
    'callers', (SELECT pg_catalog.jsonb_agg(DISTINCT g.name) FROM strangers g,
                pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) x WHERE x.grantee = g.oid))
  FROM pg_catalog.pg_proc p JOIN spaces s ON s.oid = p.pronamespace
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND m.objid = p.oid)
UNION ALL
SELECT 'default', pg_catalog.format('%s in %s (%s)', pg_catalog.pg_get_userbyid(d.defaclrole),
      COALESCE(s.nspname, 'every schema'), d.defaclobjtype), pg_catalog.jsonb_build_object('kind', d.defaclobjtype,
    'rights', (SELECT pg_catalog.jsonb_agg(DISTINCT ARRAY[g.name, x.privilege_type]) FROM strangers g,
               pg_catalog.aclexplode(d.defaclacl) x WHERE x.grantee = g.oid))
  FROM pg_catalog.pg_default_acl d LEFT JOIN spaces s ON s.oid = d.defaclnamespace
UNION ALL
SELECT 'role', r.rolname::text, pg_catalog.jsonb_build_object('SUPERUSER', r.rolsuper, 'BYPASSRLS', r.rolbypassrls,
    'CREATEROLE', r.rolcreaterole, 'CREATEDB', r.rolcreatedb, 'REPLICATION', r.rolreplication, 'LOGIN', r.rolcanlogin)
  FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_'
UNION ALL
SELECT 'member', pg_catalog.pg_get_userbyid(m.member) || ' in ' || pg_catalog.pg_get_userbyid(m.roleid),
    pg_catalog.jsonb_build_object('member', pg_catalog.pg_get_userbyid(m.member), 'role', pg_catalog.pg_get_userbyid(m.roleid))
  FROM pg_catalog.pg_auth_members m
UNION ALL
SELECT 'labels', t.oid::pg_catalog.regtype::text, pg_catalog.jsonb_build_object('labels', (
    SELECT pg_catalog.jsonb_agg(e.enumlabel ORDER BY e.oid) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
  FROM pg_catalog.pg_type t JOIN spaces s ON s.oid = t.typnamespace WHERE t.typtype = 'e'
UNION ALL
SELECT 'position', pg_catalog.format('%I.%I', s.nspname, c.relname), pg_catalog.jsonb_build_object('last',
    CASE WHEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT, USAGE') THEN pg_catalog.pg_sequence_last_value(c.oid) END)
  FROM pg_catalog.pg_class c JOIN spaces s ON s.oid = c.relnamespace WHERE c.relkind = 'S' AND c.relpersistence <> 't'

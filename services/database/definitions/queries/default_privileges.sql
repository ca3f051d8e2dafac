SELECT d.oid, d.defaclrole::pg_catalog.regrole::text AS role, pg_catalog.quote_ident(s.nspname) AS space,
  d.defaclobjtype::text AS kind, d.defaclacl::text[] AS acl,
  CASE WHEN d.defaclnamespace = 0 THEN pg_catalog.acldefault(
    CASE d.defaclobjtype WHEN 'S' THEN 's'::"char" ELSE d.defaclobjtype END, d.defaclrole)::text[] ELSE '{}' END AS plain
FROM pg_catalog.pg_default_acl d LEFT JOIN spaces s ON s.oid = d.defaclnamespace
WHERE d.defaclnamespace = 0 OR s.oid IS NOT NULL

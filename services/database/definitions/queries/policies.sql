SELECT p.oid, pg_catalog.quote_ident(p.polname) AS name, p.polrelid AS relation, p.polcmd::text AS command,
  p.polpermissive AS permissive,
  ARRAY(SELECT CASE WHEN o = 0 THEN 'PUBLIC' ELSE o::pg_catalog.regrole::text END FROM pg_catalog.unnest(p.polroles) o ORDER BY 1)::text[] AS roles,
  pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using, pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check
FROM pg_catalog.pg_policy p JOIN relations r ON r.oid = p.polrelid

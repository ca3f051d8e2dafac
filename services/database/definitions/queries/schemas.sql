SELECT oid, pg_catalog.quote_ident(nspname) AS name, nspowner::pg_catalog.regrole::text AS owner, nspacl::text[] AS acl,
  pg_catalog.acldefault('n', nspowner)::text[] AS plain
FROM spaces

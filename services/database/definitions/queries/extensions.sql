SELECT e.oid, pg_catalog.quote_ident(e.extname) AS name, e.extversion AS version, pg_catalog.quote_ident(n.nspname) AS space,
  e.extrelocatable AS relocatable, s.oid IS NOT NULL AS own_space
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace LEFT JOIN spaces s ON s.oid = n.oid

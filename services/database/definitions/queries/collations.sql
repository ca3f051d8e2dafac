-- In the newer versions the locale of a collation has another name.
SELECT c.oid, pg_catalog.quote_ident(s.nspname) AS space, pg_catalog.format('%I.%I', s.nspname, c.collname) AS name,
  c.collowner::pg_catalog.regrole::text AS owner, c.collprovider::text AS provider, c.collisdeterministic AS deterministic,
  c.collcollate AS collate, c.collctype AS ctype,
  COALESCE(pg_catalog.to_jsonb(c) ->> 'colllocale', pg_catalog.to_jsonb(c) ->> 'colliculocale') AS locale,
  pg_catalog.to_jsonb(c) ->> 'collicurules' AS rules
FROM pg_catalog.pg_collation c JOIN spaces s ON s.oid = c.collnamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass AND m.objid = c.oid)

SELECT c.oid, c.contype::text AS kind, pg_catalog.quote_ident(c.conname) AS name, c.conrelid AS relation, c.contypid AS type,
  pg_catalog.pg_get_constraintdef(c.oid) AS text, c.conislocal AS local, c.coninhcount AS inherited,
  c.conparentid AS parent, c.conindid AS index, c.confrelid AS referenced, c.conkey AS columns, c.connoinherit AS no_inherit
FROM pg_catalog.pg_constraint c
WHERE c.contype IN ('c', 'p', 'u', 'x', 'f', 'n') AND c.connamespace IN (SELECT oid FROM spaces)
  AND NOT EXISTS (SELECT FROM members m WHERE c.conrelid <> 0
    AND m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.objid = c.conrelid)
  AND NOT EXISTS (SELECT FROM members m WHERE c.contypid <> 0
    AND m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND m.objid = c.contypid)
ORDER BY c.oid

SELECT t.oid, t.typrelid, t.typtype::text AS kind, pg_catalog.quote_ident(s.nspname) AS space,
  pg_catalog.format('%I.%I', s.nspname, t.typname) AS name, t.typowner::pg_catalog.regrole::text AS owner,
  t.typacl::text[] AS acl, pg_catalog.acldefault('T', t.typowner)::text[] AS plain,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(e.oid::bigint, e.enumlabel) ORDER BY e.enumsortorder)
   FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) AS labels,
  CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END AS base,
  CASE WHEN t.typtype = 'd' AND t.typcollation <> 0 AND t.typcollation <> (
    SELECT b.typcollation FROM pg_catalog.pg_type b WHERE b.oid = t.typbasetype)
    THEN t.typcollation::pg_catalog.regcollation::text END AS collation,
  t.typnotnull AS not_null,
  COALESCE(pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::pg_catalog.regclass), t.typdefault) AS default,
  CASE WHEN t.typtype = 'c' THEN (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(pg_catalog.quote_ident(a.attname),
      pg_catalog.format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attcollation <> b.typcollation THEN a.attcollation::pg_catalog.regcollation::text END, a.attnum) ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type b ON b.oid = a.atttypid
    WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END AS attributes,
  (SELECT pg_catalog.json_build_object('subtype', pg_catalog.format_type(g.rngsubtype, NULL),
      'subtype_opclass', (SELECT pg_catalog.format('%I.%I', n.nspname, o.opcname) FROM pg_catalog.pg_opclass o
        JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace WHERE o.oid = g.rngsubopc AND NOT o.opcdefault),
      'collation', (SELECT g.rngcollation::pg_catalog.regcollation::text FROM pg_catalog.pg_type b
        WHERE b.oid = g.rngsubtype AND g.rngcollation <> b.typcollation),
      'canonical', NULLIF(g.rngcanonical, 0)::pg_catalog.regproc::text,
      'subtype_diff', NULLIF(g.rngsubdiff, 0)::pg_catalog.regproc::text,
      'multirange_type_name', g.rngmultitypid::pg_catalog.regtype::text, 'multirange', g.rngmultitypid::bigint)
   FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid) AS range
FROM pg_catalog.pg_type t JOIN spaces s ON s.oid = t.typnamespace
WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND EXISTS (
    SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')))
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND m.objid = t.oid)

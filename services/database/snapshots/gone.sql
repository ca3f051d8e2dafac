-- What those of the given catalog addresses are that are things of their own: not parts of the tables that are parked
-- (%(parked)s), no row types, array types or internal triggers.
SELECT i.type, i.object_names, i.object_args, pg_catalog.pg_describe_object(a.classid, a.objid, a.sub)
FROM ROWS FROM (pg_catalog.unnest(%(classes)s::oid[]), pg_catalog.unnest(%(objects)s::oid[]),
  pg_catalog.unnest(%(subs)s::int[])) AS a(classid, objid, sub)
CROSS JOIN LATERAL pg_catalog.pg_identify_object_as_address(a.classid, a.objid, a.sub) i
LEFT JOIN pg_catalog.pg_class c ON a.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = a.objid
LEFT JOIN pg_catalog.pg_type t ON a.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = a.objid
LEFT JOIN pg_catalog.pg_class tc ON tc.oid = t.typrelid
LEFT JOIN pg_catalog.pg_constraint k ON a.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = a.objid
LEFT JOIN pg_catalog.pg_attrdef f ON a.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND f.oid = a.objid
LEFT JOIN pg_catalog.pg_trigger g ON a.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND g.oid = a.objid
LEFT JOIN pg_catalog.pg_rewrite w ON a.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = a.objid
WHERE i.type IS NOT NULL AND NOT COALESCE(g.tgisinternal, false)
  AND COALESCE(w.rulename <> '_RETURN', true)
  AND COALESCE(t.typcategory <> 'A' AND (t.typrelid = 0 OR tc.relkind = 'c'), true)
  AND COALESCE(c.relkind <> 't' AND c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace, true)
  AND NOT (c.oid IS NOT NULL AND (c.oid = ANY(%(parked)s)
    OR EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indexrelid = c.oid AND x.indrelid = ANY(%(parked)s))
    OR (c.relkind = 'S' AND EXISTS (
      SELECT FROM pg_catalog.pg_depend d WHERE d.classid = a.classid AND d.objid = c.oid AND d.deptype IN ('a', 'i')
        AND d.refclassid = a.classid AND d.refobjid = ANY(%(parked)s)))))
  AND NOT COALESCE(k.conrelid = ANY(%(parked)s), false)
  AND NOT COALESCE(f.adrelid = ANY(%(parked)s), false)
  AND NOT COALESCE(g.tgrelid = ANY(%(parked)s), false)
  AND NOT COALESCE(w.ev_class = ANY(%(parked)s), false)

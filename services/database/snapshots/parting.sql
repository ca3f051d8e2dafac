-- What is to be taken off a table before it is moved aside, though it stays where a table is dropped: nothing of this
-- may hold back what a script, or a person later, drops next. One row a thing, as pg_identify_object_as_address says it.
SELECT i.type, i.object_names, i.object_args, pg_catalog.pg_describe_object(o.classid, o.objid, o.sub) FROM (
  SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid AS classid, k.oid AS objid, 0 AS sub
  FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND %(table)s IN (k.conrelid, k.confrelid)
  UNION ALL
  SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 0
  FROM pg_catalog.pg_trigger t WHERE t.tgrelid = %(table)s AND NOT t.tgisinternal
  UNION ALL
  SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, 0 FROM pg_catalog.pg_policy p WHERE p.polrelid = %(table)s
  UNION ALL
  SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid, 0 FROM pg_catalog.pg_rewrite w WHERE w.ev_class = %(table)s
  UNION ALL
  SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, 0
  FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = %(table)s
  UNION ALL
  SELECT 'pg_catalog.pg_publication_rel'::pg_catalog.regclass, r.oid, 0
  FROM pg_catalog.pg_publication_rel r WHERE r.prrelid = %(table)s
  UNION ALL
  SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, f.oid, 0
  FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
  WHERE f.adrelid = %(table)s AND a.attgenerated = '' AND EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
      AND (d.refclassid, d.refobjid) <> ('pg_catalog.pg_class'::pg_catalog.regclass, f.adrelid))
) o CROSS JOIN LATERAL pg_catalog.pg_identify_object_as_address(o.classid, o.objid, o.sub) i

-- Objects below 16384 came with the server. Left out is what is known from elsewhere: row and array types, the columns and the
-- triggers of constraints.
SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid, d.deptype::text FROM pg_catalog.pg_depend d
WHERE d.objid >= 16384 AND d.refobjid >= 16384 AND d.deptype IN ('n', 'a', 'i', 'e')
  AND NOT (d.deptype = 'i' AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
    AND d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_type'::pg_catalog.regclass))
  AND NOT (d.deptype = 'i' AND d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass)
  AND NOT (d.deptype = 'a' AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass)

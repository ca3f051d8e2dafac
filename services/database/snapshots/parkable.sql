-- Whether a table can be moved aside whole: nothing that it cannot be parted from belongs to anybody else.
-- Its triggers, policies, rules, foreign keys, statistics and foreign defaults can be parted from it.
WITH own AS (
  SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid = %(table)s
  UNION ALL SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = %(table)s
  UNION ALL SELECT d.objid FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refobjid = %(table)s AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    AND d.objid IN (SELECT s.seqrelid FROM pg_catalog.pg_sequence s)
), needed AS (
  SELECT d.refclassid, d.refobjid, d.deptype FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid IN (SELECT oid FROM own)
  UNION ALL
  SELECT d.refclassid, d.refobjid, d.deptype FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_constraint k ON k.oid = d.objid
  WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.conrelid = %(table)s AND k.contype NOT IN ('f', 't')
  UNION ALL
  SELECT d.refclassid, d.refobjid, d.deptype FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
  WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND f.adrelid = %(table)s AND a.attgenerated <> ''
)
SELECT c.relkind = 'r' AND c.relpersistence <> 't' AND NOT c.relispartition AND c.reloftype = 0
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))
  AND NOT EXISTS (
    SELECT FROM needed n
    WHERE NOT (n.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
      OR (n.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND n.refobjid IN (SELECT oid FROM own))
      OR (n.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
          AND n.refobjid IN (SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.conrelid = %(table)s))))
FROM pg_catalog.pg_class c WHERE c.oid = %(table)s

SELECT i.classid::pg_catalog.oid, i.objid, pg_catalog.initcap(i.type) AS what, i.identity AS name FROM (
  SELECT k.classid, k.objid, (pg_catalog.pg_identify_object(k.classid, k.objid, 0)).* FROM (
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass AS classid, oid AS objid FROM pg_catalog.pg_operator WHERE oprcode = 0
    UNION ALL SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, oid FROM pg_catalog.pg_opclass
    UNION ALL SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, oid FROM pg_catalog.pg_opfamily
    UNION ALL SELECT 'pg_catalog.pg_conversion'::pg_catalog.regclass, oid FROM pg_catalog.pg_conversion
    UNION ALL SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, oid FROM pg_catalog.pg_language
    UNION ALL SELECT 'pg_catalog.pg_transform'::pg_catalog.regclass, oid FROM pg_catalog.pg_transform
    UNION ALL SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, oid FROM pg_catalog.pg_am
    UNION ALL SELECT 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_parser
    UNION ALL SELECT 'pg_catalog.pg_ts_template'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_template
    UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, oid FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, oid FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid FROM pg_catalog.pg_type t JOIN spaces s ON s.oid = t.typnamespace
      WHERE t.typtype = 'b' AND t.typelem = 0
  ) k WHERE k.objid >= 16384
    AND NOT EXISTS (SELECT FROM members m WHERE m.classid = k.classid AND m.objid = k.objid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = k.classid AND d.objid = k.objid AND d.deptype = 'i')
) i

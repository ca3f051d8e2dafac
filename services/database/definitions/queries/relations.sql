SELECT r.oid, r.relkind::text AS kind, r.space, r.name, r.relpersistence::text AS persistence,
  r.relowner::pg_catalog.regrole::text AS owner, r.relacl::text[] AS acl,
  pg_catalog.acldefault(CASE r.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, r.relowner)::text[] AS plain,
  r.reloptions AS options, (SELECT o.reloptions FROM pg_catalog.pg_class o WHERE o.oid = r.reltoastrelid) AS toast_options,
  r.relrowsecurity AS row_security, r.relforcerowsecurity AS forced, r.relreplident::text AS replica_identity,
  r.relispopulated AS populated, r.relispartition AS is_partition,
  CASE WHEN r.relispartition THEN pg_catalog.pg_get_expr(r.relpartbound, r.oid) END AS bound,
  CASE WHEN r.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(r.oid) END AS partition_key,
  CASE WHEN r.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(r.oid) END AS query,
  (SELECT a.amname FROM pg_catalog.pg_am a WHERE a.oid = r.relam AND a.amname <> 'heap') AS method,
  NULLIF(r.reloftype, 0)::pg_catalog.regtype::text AS of_type,
  (SELECT pg_catalog.array_agg(i.inhparent::bigint ORDER BY i.inhseqno) FROM pg_catalog.pg_inherits i
   WHERE i.inhrelid = r.oid) AS parents,
  (SELECT pg_catalog.json_build_array(pg_catalog.quote_ident(v.srvname), f.ftoptions) FROM pg_catalog.pg_foreign_table f
   JOIN pg_catalog.pg_foreign_server v ON v.oid = f.ftserver WHERE f.ftrelid = r.oid) AS foreign
FROM relations r WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')

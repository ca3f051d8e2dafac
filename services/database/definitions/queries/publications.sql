SELECT p.oid, pg_catalog.quote_ident(p.pubname) AS name, p.puballtables AS all_tables, p.pubviaroot AS via_root,
  p.pubowner::pg_catalog.regrole::text AS owner,
  pg_catalog.concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
    CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END) AS publish,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(m.oid::bigint, m.prrelid::bigint,
      (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
       WHERE a.attrelid = m.prrelid AND a.attnum = ANY (m.prattrs::int2[])), pg_catalog.pg_get_expr(m.prqual, m.prrelid)))
   FROM pg_catalog.pg_publication_rel m WHERE m.prpubid = p.oid) AS tables,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(m.oid::bigint, pg_catalog.quote_ident(n.nspname)))
   FROM pg_catalog.pg_publication_namespace m JOIN pg_catalog.pg_namespace n ON n.oid = m.pnnspid WHERE m.pnpubid = p.oid) AS schemas
FROM pg_catalog.pg_publication p

SELECT r.oid, r.name, r.space, i.indrelid AS relation, i.indisclustered AS clustered, i.indisreplident AS replica_identity,
  i.indisvalid AS valid, r.relispartition AS is_partition, o.oid AS constraint,
  CASE WHEN o.oid IS NULL THEN pg_catalog.pg_get_indexdef(r.oid) END AS text,
  (SELECT h.inhparent FROM pg_catalog.pg_inherits h WHERE h.inhrelid = r.oid) AS parent,
  (SELECT pg_catalog.array_agg(pg_catalog.json_build_array(a.attnum, a.attstattarget)) FROM pg_catalog.pg_attribute a
   WHERE a.attrelid = r.oid AND a.attstattarget >= 0) AS targets
FROM relations r JOIN pg_catalog.pg_index i ON i.indexrelid = r.oid
LEFT JOIN pg_catalog.pg_constraint o ON o.conindid = r.oid AND o.conrelid = i.indrelid AND o.contype IN ('p', 'u', 'x')
ORDER BY r.oid

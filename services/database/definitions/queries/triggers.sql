SELECT t.oid, pg_catalog.quote_ident(t.tgname) AS name, t.tgrelid AS relation, t.tgenabled::text AS state,
  t.tgparentid AS parent, CASE WHEN t.tgparentid = 0 THEN pg_catalog.pg_get_triggerdef(t.oid) END AS text
FROM pg_catalog.pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal

SELECT e.oid, pg_catalog.format('%I.%I', s.nspname, e.stxname) AS name, pg_catalog.quote_ident(s.nspname) AS space,
  e.stxrelid AS relation, e.stxowner::pg_catalog.regrole::text AS owner, NULLIF(e.stxstattarget, -1) AS target,
  pg_catalog.pg_get_statisticsobjdef(e.oid) AS text
FROM pg_catalog.pg_statistic_ext e JOIN spaces s ON s.oid = e.stxnamespace

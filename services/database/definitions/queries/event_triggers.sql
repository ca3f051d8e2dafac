SELECT e.oid, pg_catalog.quote_ident(e.evtname) AS name, e.evtevent AS event, e.evtenabled::text AS state, e.evttags AS tags,
  e.evtfoid::pg_catalog.regproc::text AS function, e.evtowner::pg_catalog.regrole::text AS owner
FROM pg_catalog.pg_event_trigger e
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND m.objid = e.oid)

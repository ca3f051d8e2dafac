SELECT w.oid, pg_catalog.quote_ident(w.rulename) AS name, w.ev_class AS relation, w.ev_enabled::text AS state,
  CASE WHEN w.rulename <> '_RETURN' THEN pg_catalog.pg_get_ruledef(w.oid) END AS text
FROM pg_catalog.pg_rewrite w JOIN relations r ON r.oid = w.ev_class

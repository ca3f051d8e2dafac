-- Configurations and the dictionaries that they ask, each token's in their order.
SELECT 'd' AS kind, d.oid, pg_catalog.quote_ident(s.nspname) AS space, pg_catalog.format('%I.%I', s.nspname, d.dictname) AS name,
  d.dictowner::pg_catalog.regrole::text AS owner, pg_catalog.format('%I.%I', n.nspname, t.tmplname) AS made_of,
  d.dictinitoption AS options, NULL::json AS mappings
FROM pg_catalog.pg_ts_dict d JOIN spaces s ON s.oid = d.dictnamespace
JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_catalog.pg_namespace n ON n.oid = t.tmplnamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass AND m.objid = d.oid)
UNION ALL
SELECT 'c', c.oid, pg_catalog.quote_ident(s.nspname), pg_catalog.format('%I.%I', s.nspname, c.cfgname),
  c.cfgowner::pg_catalog.regrole::text, pg_catalog.format('%I.%I', n.nspname, p.prsname), NULL,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.alias, a.dictionaries) ORDER BY a.alias) FROM (
     SELECT k.alias, pg_catalog.string_agg(m.mapdict::pg_catalog.regdictionary::text, ', ' ORDER BY m.mapseqno) AS dictionaries
     FROM pg_catalog.pg_ts_config_map m JOIN pg_catalog.ts_token_type(c.cfgparser) k ON k.tokid = m.maptokentype
     WHERE m.mapcfg = c.oid GROUP BY k.alias) a)
FROM pg_catalog.pg_ts_config c JOIN spaces s ON s.oid = c.cfgnamespace
JOIN pg_catalog.pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_catalog.pg_namespace n ON n.oid = p.prsnamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_ts_config'::pg_catalog.regclass AND m.objid = c.oid)

-- Catalog facts as (key, value), with search_path empty. Left out: system schemas, members of extensions, and what is
-- ours: schema ops, the rights of the role that reads for us, and its policies. Options of what is foreign may hold keys: only their
-- hash is told.
WITH readers AS MATERIALIZED (
  SELECT oid FROM pg_catalog.pg_roles WHERE rolname ~ '^ops_reader(_[a-z0-9_]+)?$'
), spaces AS MATERIALIZED (
  SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'ops')
), members AS MATERIALIZED (
  SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), relations AS MATERIALIZED (
  SELECT c.*, s.nspname, pg_catalog.format('%I.%I', s.nspname, c.relname) AS name
  FROM pg_catalog.pg_class c JOIN spaces s ON s.oid = c.relnamespace
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.objid = c.oid)
), routines AS MATERIALIZED (
  SELECT p.*, pg_catalog.format('%I.%I(%s)', s.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS name
  FROM pg_catalog.pg_proc p JOIN spaces s ON s.oid = p.pronamespace
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND m.objid = p.oid)
), types AS MATERIALIZED (
  SELECT t.*, pg_catalog.format('%I.%I', s.nspname, t.typname) AS name
  FROM pg_catalog.pg_type t JOIN spaces s ON s.oid = t.typnamespace
  WHERE t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND EXISTS (
    SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
), rights AS (
  SELECT 'relation ' || name AS object, COALESCE(relacl, pg_catalog.acldefault(
    CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, relowner)) AS acl FROM relations WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL
  SELECT 'column ' || r.name || '.' || pg_catalog.quote_ident(a.attname), a.attacl
  FROM relations r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
    AND EXISTS (SELECT FROM pg_catalog.aclexplode(a.attacl) x WHERE x.grantee NOT IN (SELECT oid FROM readers))
  UNION ALL
  SELECT 'function ' || name, COALESCE(proacl, pg_catalog.acldefault('f', proowner)) FROM routines
  UNION ALL
  SELECT 'schema ' || nspname, COALESCE(nspacl, pg_catalog.acldefault('n', nspowner)) FROM spaces
  UNION ALL
  SELECT 'type ' || name, COALESCE(typacl, pg_catalog.acldefault('T', typowner)) FROM types
  UNION ALL
  SELECT pg_catalog.format('foreign server %I', srvname), COALESCE(srvacl, pg_catalog.acldefault('S', srvowner)) FROM pg_catalog.pg_foreign_server v
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass AND m.objid = v.oid)
  UNION ALL
  SELECT pg_catalog.format('default %s %s %s', d.defaclrole::pg_catalog.regrole, COALESCE(s.nspname, '*'), d.defaclobjtype), d.defaclacl
  FROM pg_catalog.pg_default_acl d LEFT JOIN spaces s ON s.oid = d.defaclnamespace
  WHERE d.defaclnamespace = 0 OR s.oid IS NOT NULL
)
SELECT 'schema ' || nspname, 'owner ' || nspowner::pg_catalog.regrole::text FROM spaces
UNION ALL
SELECT 'relation ' || name, pg_catalog.concat_ws(' ', relkind, relpersistence, 'owner', relowner::pg_catalog.regrole,
    CASE WHEN relrowsecurity THEN 'rls' END, CASE WHEN relforcerowsecurity THEN 'force-rls' END, 'replica', relreplident,
    pg_catalog.array_to_string(ARRAY(SELECT o FROM pg_catalog.unnest(reloptions) o ORDER BY 1), ','),
    CASE WHEN reltoastrelid <> 0 THEN (SELECT 'toast ' || pg_catalog.array_to_string(ARRAY(SELECT o FROM pg_catalog.unnest(x.reloptions) o ORDER BY 1), ',')
     FROM pg_catalog.pg_class x WHERE x.oid = relations.reltoastrelid AND x.reloptions IS NOT NULL) END,
    CASE WHEN relispartition THEN pg_catalog.pg_get_expr(relpartbound, oid) END, 'of ' || NULLIF(reloftype, 0)::pg_catalog.regtype,
    CASE WHEN relkind = 'f' THEN (SELECT pg_catalog.concat_ws(' ', 'from', v.srvname, (SELECT pg_catalog.md5(pg_catalog.string_agg(o, ',' ORDER BY o COLLATE "C")) FROM pg_catalog.unnest(f.ftoptions) o)) FROM pg_catalog.pg_foreign_table f
     JOIN pg_catalog.pg_foreign_server v ON v.oid = f.ftserver WHERE f.ftrelid = relations.oid) END,
    CASE WHEN relkind = 'p' THEN pg_catalog.pg_get_partkeydef(oid) END,
    (SELECT 'inherits ' || pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::text, ',' ORDER BY i.inhseqno)
     FROM pg_catalog.pg_inherits i WHERE i.inhrelid = relations.oid))
  FROM relations WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
UNION ALL
SELECT 'view ' || name, pg_catalog.pg_get_viewdef(oid) FROM relations WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'column ' || r.name || '.' || pg_catalog.quote_ident(a.attname),
    pg_catalog.concat_ws(' ', pg_catalog.row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
    pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, 'identity:' || a.attidentity::text,
    'generated:' || a.attgenerated::text, 'default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'storage ' || a.attstorage::text,
    CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::pg_catalog.regcollation::text END,
    'statistics ' || NULLIF(a.attstattarget, -1), 'compression ' || NULLIF(a.attcompression::text, ''), a.attoptions,
    CASE WHEN a.attfdwoptions IS NOT NULL THEN (SELECT pg_catalog.md5(pg_catalog.string_agg(o, ',' ORDER BY o COLLATE "C")) FROM pg_catalog.unnest(a.attfdwoptions) o) END)
  FROM relations r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
-- NOT NULL is a fact of the column; from 18 on it is a constraint as well, and is left out here.
SELECT 'constraint ' || COALESCE(r.name, t.name) || '.' || pg_catalog.quote_ident(c.conname),
    pg_catalog.concat_ws(' ', pg_catalog.pg_get_constraintdef(c.oid), CASE WHEN NOT c.convalidated THEN 'unchecked' END)
  FROM pg_catalog.pg_constraint c LEFT JOIN relations r ON r.oid = c.conrelid LEFT JOIN types t ON t.oid = c.contypid
  WHERE c.contype NOT IN ('n', 't') AND (r.oid IS NOT NULL OR t.oid IS NOT NULL)
UNION ALL
SELECT 'index ' || r.name, pg_catalog.concat_ws(' ', pg_catalog.pg_get_indexdef(r.oid), CASE WHEN NOT i.indisvalid THEN 'invalid' END,
    CASE WHEN i.indisclustered THEN 'clustered' END, CASE WHEN i.indisreplident THEN 'replica identity' END)
  FROM relations r JOIN pg_catalog.pg_index i ON i.indexrelid = r.oid
UNION ALL
SELECT 'function ' || name, pg_catalog.concat_ws(' ', 'owner', proowner::pg_catalog.regrole,
    CASE WHEN prokind = 'a' THEN 'aggregate ' || pg_catalog.pg_get_function_result(oid) || (
      SELECT pg_catalog.format(' %s %s %s %s %s %s %s %s %s %s', a.aggkind, a.aggtransfn, a.aggfinalfn, a.aggcombinefn,
        a.aggtranstype::pg_catalog.regtype, a.agginitval, a.aggsortop::pg_catalog.regoperator, a.aggmtransfn, a.aggminvtransfn, a.aggfinalmodify)
      FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = routines.oid)
    ELSE pg_catalog.pg_get_functiondef(oid) END)
  FROM routines
UNION ALL
SELECT 'policy ' || r.name || '.' || pg_catalog.quote_ident(p.polname), pg_catalog.concat_ws(' ', p.polcmd,
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, 'to ' || pg_catalog.array_to_string(ARRAY(
      SELECT CASE WHEN o = 0 THEN 'public' ELSE o::pg_catalog.regrole::text END FROM pg_catalog.unnest(p.polroles) o ORDER BY 1), ','),
    'using ' || pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_catalog.pg_policy p JOIN relations r ON r.oid = p.polrelid
  WHERE NOT (p.polcmd = 'r' AND p.polroles <@ ARRAY(SELECT oid FROM readers))
UNION ALL
SELECT 'trigger ' || r.name || '.' || pg_catalog.quote_ident(t.tgname), t.tgenabled::text || ' ' || pg_catalog.pg_get_triggerdef(t.oid)
  FROM pg_catalog.pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule ' || r.name || '.' || pg_catalog.quote_ident(w.rulename), pg_catalog.concat_ws(' ', 'enabled ' || NULLIF(w.ev_enabled, 'O')::text, pg_catalog.pg_get_ruledef(w.oid))
  FROM pg_catalog.pg_rewrite w JOIN relations r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 'sequence ' || r.name, pg_catalog.concat_ws(' ', pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin,
    s.seqmax, s.seqcache, s.seqcycle, (SELECT 'owned by ' || d.refobjid::pg_catalog.regclass::text || '.' || a.attname
      FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.objid = r.oid AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 LIMIT 1))
  FROM relations r JOIN pg_catalog.pg_sequence s ON s.seqrelid = r.oid
UNION ALL
SELECT 'type ' || name, pg_catalog.concat_ws(' ', typtype, 'owner', typowner::pg_catalog.regrole,
    (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
     FROM pg_catalog.pg_enum e WHERE e.enumtypid = types.oid),
    CASE WHEN typtype = 'd' THEN pg_catalog.format_type(typbasetype, typtypmod) END, CASE WHEN typnotnull THEN 'not null' END,
    'default ' || typdefault, (SELECT 'range of ' || pg_catalog.format_type(g.rngsubtype, NULL) FROM pg_catalog.pg_range g WHERE g.rngtypid = types.oid),
    (SELECT 'collate ' || types.typcollation::pg_catalog.regcollation::text FROM pg_catalog.pg_type b
     WHERE b.oid = types.typbasetype AND b.typcollation <> types.typcollation))
  FROM types
UNION ALL
SELECT 'extension ' || e.extname, pg_catalog.concat_ws(' ', e.extversion, n.nspname)
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
UNION ALL
SELECT 'event trigger ' || evtname, pg_catalog.concat_ws(' ', evtevent, evtenabled, evtfoid::pg_catalog.regprocedure, evttags::text)
  FROM pg_catalog.pg_event_trigger
UNION ALL
SELECT 'publication ' || p.pubname, pg_catalog.concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
    (SELECT pg_catalog.string_agg(pr.prrelid::pg_catalog.regclass::text, ',' ORDER BY pr.prrelid::pg_catalog.regclass::text)
     FROM pg_catalog.pg_publication_rel pr WHERE pr.prpubid = p.oid),
    (SELECT 'only ' || pg_catalog.string_agg(pg_catalog.concat_ws(' ', pr.prrelid::pg_catalog.regclass, (
          SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ' ' ORDER BY a.attname) FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = pr.prrelid AND a.attnum = ANY (pr.prattrs)), pg_catalog.pg_get_expr(pr.prqual, pr.prrelid)), ',' ORDER BY pr.prrelid::pg_catalog.regclass::text)
     FROM pg_catalog.pg_publication_rel pr WHERE pr.prpubid = p.oid AND (pr.prattrs IS NOT NULL OR pr.prqual IS NOT NULL)),
    (SELECT 'schemas ' || pg_catalog.string_agg(pn.pnnspid::pg_catalog.regnamespace::text, ',' ORDER BY pn.pnnspid::pg_catalog.regnamespace::text)
     FROM pg_catalog.pg_publication_namespace pn WHERE pn.pnpubid = p.oid),
    CASE WHEN p.pubviaroot THEN 'via root' END)
  FROM pg_catalog.pg_publication p
UNION ALL
SELECT 'statistics ' || pg_catalog.format('%I.%I', s.nspname, x.stxname), pg_catalog.concat_ws(' ', 'owner', x.stxowner::pg_catalog.regrole,
    pg_catalog.pg_get_statisticsobjdef(x.oid), 'target ' || NULLIF(x.stxstattarget, -1))
  FROM pg_catalog.pg_statistic_ext x JOIN spaces s ON s.oid = x.stxnamespace
UNION ALL
-- In the newer versions the locale of a collation has another name. Its version is the machine's.
SELECT 'collation ' || pg_catalog.format('%I.%I', s.nspname, c.collname), pg_catalog.concat_ws(' ', 'owner', c.collowner::pg_catalog.regrole,
    c.collprovider, CASE WHEN NOT c.collisdeterministic THEN 'not deterministic' END, c.collcollate, c.collctype,
    COALESCE(pg_catalog.to_jsonb(c) ->> 'colllocale', pg_catalog.to_jsonb(c) ->> 'colliculocale'), pg_catalog.to_jsonb(c) ->> 'collicurules')
  FROM pg_catalog.pg_collation c JOIN spaces s ON s.oid = c.collnamespace
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass AND m.objid = c.oid)
UNION ALL
SELECT 'text search configuration ' || pg_catalog.format('%I.%I', s.nspname, c.cfgname),
    pg_catalog.concat_ws(' ', 'owner', c.cfgowner::pg_catalog.regrole, (SELECT p.prsname FROM pg_catalog.pg_ts_parser p WHERE p.oid = c.cfgparser),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', m.maptokentype, m.mapdict::pg_catalog.regdictionary), ',' ORDER BY m.maptokentype, m.mapseqno)
     FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = c.oid))
  FROM pg_catalog.pg_ts_config c JOIN spaces s ON s.oid = c.cfgnamespace
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_ts_config'::pg_catalog.regclass AND m.objid = c.oid)
UNION ALL
SELECT 'text search dictionary ' || pg_catalog.format('%I.%I', s.nspname, d.dictname),
    pg_catalog.concat_ws(' ', 'owner', d.dictowner::pg_catalog.regrole, (SELECT t.tmplname FROM pg_catalog.pg_ts_template t WHERE t.oid = d.dicttemplate),
    d.dictinitoption)
  FROM pg_catalog.pg_ts_dict d JOIN spaces s ON s.oid = d.dictnamespace
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass AND m.objid = d.oid)
UNION ALL
-- An operator without a function is only a name that another one gave for its commutator or negator.
SELECT 'operator ' || o.oid::pg_catalog.regoperator::text, pg_catalog.concat_ws(' ', 'owner', o.oprowner::pg_catalog.regrole,
    o.oprcode::pg_catalog.regprocedure, 'commutator ' || NULLIF(o.oprcom, 0)::pg_catalog.regoperator::text,
    'negator ' || NULLIF(o.oprnegate, 0)::pg_catalog.regoperator::text, NULLIF(o.oprrest, 0)::pg_catalog.regproc,
    NULLIF(o.oprjoin, 0)::pg_catalog.regproc, CASE WHEN o.oprcanmerge THEN 'merges' END, CASE WHEN o.oprcanhash THEN 'hashes' END)
  FROM pg_catalog.pg_operator o JOIN spaces s ON s.oid = o.oprnamespace
  WHERE o.oprcode <> 0
    AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND m.objid = o.oid)
UNION ALL
SELECT pg_catalog.format('operator class %I.%I for %s', s.nspname, o.opcname, a.amname), pg_catalog.concat_ws(' ', 'owner', o.opcowner::pg_catalog.regrole,
    o.opcintype::pg_catalog.regtype, NULLIF(o.opckeytype, 0)::pg_catalog.regtype, CASE WHEN o.opcdefault THEN 'default' END, f.opfname)
  FROM pg_catalog.pg_opclass o JOIN spaces s ON s.oid = o.opcnamespace JOIN pg_catalog.pg_am a ON a.oid = o.opcmethod
  JOIN pg_catalog.pg_opfamily f ON f.oid = o.opcfamily
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_opclass'::pg_catalog.regclass AND m.objid = o.oid)
UNION ALL
SELECT pg_catalog.format('operator family %I.%I for %s', s.nspname, o.opfname, a.amname), pg_catalog.concat_ws(' ', 'owner', o.opfowner::pg_catalog.regrole,
    (SELECT pg_catalog.string_agg(x.line, ',' ORDER BY x.line) FROM (
       SELECT pg_catalog.concat_ws(' ', 'operator', p.amopstrategy, p.amopopr::pg_catalog.regoperator, p.amoppurpose) COLLATE "C" AS line
       FROM pg_catalog.pg_amop p WHERE p.amopfamily = o.oid
       UNION ALL SELECT pg_catalog.concat_ws(' ', 'function', p.amprocnum, p.amproclefttype::pg_catalog.regtype, p.amprocrighttype::pg_catalog.regtype,
         p.amproc) COLLATE "C" FROM pg_catalog.pg_amproc p WHERE p.amprocfamily = o.oid) x))
  FROM pg_catalog.pg_opfamily o JOIN spaces s ON s.oid = o.opfnamespace JOIN pg_catalog.pg_am a ON a.oid = o.opfmethod
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND m.objid = o.oid)
UNION ALL
SELECT pg_catalog.format('cast (%s AS %s)', c.castsource::pg_catalog.regtype, c.casttarget::pg_catalog.regtype),
    pg_catalog.concat_ws(' ', c.castmethod, c.castcontext, NULLIF(c.castfunc, 0)::pg_catalog.regprocedure)
  FROM pg_catalog.pg_cast c WHERE c.oid >= 16384
    AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND m.objid = c.oid)
    -- A multirange type brings its cast with it.
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'i')
UNION ALL
SELECT pg_catalog.format('foreign server %I', v.srvname), pg_catalog.concat_ws(' ', 'owner', v.srvowner::pg_catalog.regrole, w.fdwname, v.srvtype,
    v.srvversion, (SELECT pg_catalog.md5(pg_catalog.string_agg(o, ',' ORDER BY o COLLATE "C")) FROM pg_catalog.unnest(v.srvoptions) o))
  FROM pg_catalog.pg_foreign_server v JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = v.srvfdw
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass AND m.objid = v.oid)
UNION ALL
-- What else there is, by its name alone.
SELECT i.type || ' ' || i.identity, 'is there' FROM (
  SELECT (pg_catalog.pg_identify_object(k.classid, k.oid, 0)).* FROM (
    SELECT 'pg_catalog.pg_conversion'::pg_catalog.regclass AS classid, oid FROM pg_catalog.pg_conversion
    UNION ALL SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, oid FROM pg_catalog.pg_language
    UNION ALL SELECT 'pg_catalog.pg_transform'::pg_catalog.regclass, oid FROM pg_catalog.pg_transform
    UNION ALL SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, oid FROM pg_catalog.pg_am
    UNION ALL SELECT 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_parser
    UNION ALL SELECT 'pg_catalog.pg_ts_template'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_template
    UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, oid FROM pg_catalog.pg_foreign_data_wrapper
  ) k WHERE k.oid >= 16384 AND NOT EXISTS (SELECT FROM members m WHERE m.classid = k.classid AND m.objid = k.oid)
) i
UNION ALL
SELECT 'rights ' || object, COALESCE((SELECT pg_catalog.string_agg(line, ' ' ORDER BY line) FROM (
    SELECT pg_catalog.format('%s:%s%s', CASE WHEN x.grantee = 0 THEN 'public' ELSE x.grantee::pg_catalog.regrole::text END,
      x.privilege_type, CASE WHEN x.is_grantable THEN '*' ELSE '' END) COLLATE "C" AS line
    FROM pg_catalog.aclexplode(acl) x WHERE x.grantee NOT IN (SELECT oid FROM readers)) AS lines), 'nobody')
  FROM rights
UNION ALL
SELECT 'comment ' || object, comment FROM (
  SELECT CASE WHEN d.objsubid = 0 THEN 'relation ' || r.name ELSE 'column ' || r.name || '.' || (
      SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.oid AND a.attnum = d.objsubid) END AS object,
    d.description AS comment
  FROM pg_catalog.pg_description d JOIN relations r ON r.oid = d.objoid WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  UNION ALL
  SELECT 'function ' || p.name, d.description FROM pg_catalog.pg_description d JOIN routines p ON p.oid = d.objoid
  WHERE d.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION ALL
  SELECT 'schema ' || s.nspname, d.description FROM pg_catalog.pg_description d JOIN spaces s ON s.oid = d.objoid
  WHERE d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
  UNION ALL
  SELECT 'type ' || t.name, d.description FROM pg_catalog.pg_description d JOIN types t ON t.oid = d.objoid
  WHERE d.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass
  UNION ALL
  SELECT pg_catalog.format('%s %s.%I', k.kind, r.name, k.part), d.description FROM (
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass AS classoid, 'constraint' AS kind, oid, conrelid AS relation, conname AS part FROM pg_catalog.pg_constraint
    UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, 'policy', oid, polrelid, polname FROM pg_catalog.pg_policy
    UNION ALL SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, 'trigger', oid, tgrelid, tgname FROM pg_catalog.pg_trigger
  ) k JOIN relations r ON r.oid = k.relation JOIN pg_catalog.pg_description d ON d.objoid = k.oid AND d.classoid = k.classoid
  UNION ALL
  SELECT i.type || ' ' || i.identity, d.description FROM pg_catalog.pg_description d,
    LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, 0) i
  WHERE d.objoid >= 16384 AND d.classoid IN ('pg_catalog.pg_statistic_ext'::pg_catalog.regclass, 'pg_catalog.pg_collation'::pg_catalog.regclass,
      'pg_catalog.pg_ts_config'::pg_catalog.regclass, 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass,
      'pg_catalog.pg_opclass'::pg_catalog.regclass, 'pg_catalog.pg_opfamily'::pg_catalog.regclass, 'pg_catalog.pg_cast'::pg_catalog.regclass,
      'pg_catalog.pg_conversion'::pg_catalog.regclass, 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, 'pg_catalog.pg_rewrite'::pg_catalog.regclass,
      'pg_catalog.pg_event_trigger'::pg_catalog.regclass, 'pg_catalog.pg_publication'::pg_catalog.regclass)
    AND NOT EXISTS (SELECT FROM members m WHERE m.classid = d.classoid AND m.objid = d.objoid)
    AND (i.schema IS NULL OR i.schema IN (SELECT nspname FROM spaces))
) AS comments

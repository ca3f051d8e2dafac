SELECT classid::bigint, objid::bigint, objsubid, refclassid::bigint, refobjid::bigint, refobjsubid, deptype::text
FROM pg_catalog.pg_depend;

SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, c.relispartition
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema');

SELECT a.attrelid::bigint, a.attnum, a.attname::text, a.attinhcount, a.attislocal, a.attgenerated::text, a.atttypid::bigint
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
ORDER BY a.attrelid, a.attnum;

SELECT oid::bigint, conname::text, conrelid::bigint, contypid::bigint, contype::text, confrelid::bigint, conkey, confkey,
       confupdtype::text, confdeltype::text, coninhcount, conislocal, confdelsetcols, conparentid::bigint
FROM pg_catalog.pg_constraint WHERE oid >= 16384;

SELECT t.oid::bigint, n.nspname::text, t.typname::text, t.typarray::bigint
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_toast' AND (t.typrelid < 16384 OR t.typarray <> 0);

SELECT p.oid::bigint, n.nspname::text, p.proname::text, p.proargtypes::text, p.prokind::text, p.provolatile::text,
       p.pronargs, p.pronargdefaults, p.provariadic::bigint
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384;

SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass::oid::bigint, oid::bigint, tgrelid::bigint, tgname::text,
       tgfoid::bigint, tgtype::int, tgenabled::text
FROM pg_catalog.pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass::oid::bigint, oid::bigint, polrelid::bigint, polname::text,
       0, 0, ''
FROM pg_catalog.pg_policy
UNION ALL SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid::bigint, oid::bigint, ev_class::bigint, rulename::text,
       0, CASE ev_type WHEN '4' THEN 8 WHEN '2' THEN 16 ELSE 0 END, ev_enabled::text
FROM pg_catalog.pg_rewrite WHERE oid >= 16384
UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid::bigint, oid::bigint, adrelid::bigint, '', 0,
       adnum, ''
FROM pg_catalog.pg_attrdef WHERE oid >= 16384;

SELECT inhrelid::bigint, inhparent::bigint FROM pg_catalog.pg_inherits ORDER BY 2, 1;

SELECT 'schema', oid::bigint, nspname::text FROM pg_catalog.pg_namespace
UNION ALL SELECT 'extension', oid::bigint, extname::text FROM pg_catalog.pg_extension
UNION ALL SELECT 'path', position, name::text
FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS given(name, position)
UNION ALL SELECT 'user', 0, current_user::text
UNION ALL SELECT 'class', oid::bigint, relname::text FROM pg_catalog.pg_class
WHERE oid < 16384 AND relkind = 'r' AND relnamespace = 'pg_catalog'::pg_catalog.regnamespace;

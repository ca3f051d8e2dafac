-- One without a function is only a name that another operator gave for its commutator or negator.
SELECT o.oid, pg_catalog.quote_ident(s.nspname) AS space, pg_catalog.format('%I.%s', s.nspname, o.oprname) AS name,
  o.oprowner::pg_catalog.regrole::text AS owner, o.oprcode::text AS function,
  NULLIF(o.oprleft, 0)::pg_catalog.regtype::text AS left_type, NULLIF(o.oprright, 0)::pg_catalog.regtype::text AS right_type,
  (SELECT pg_catalog.format('%I.%s', n.nspname, c.oprname) FROM pg_catalog.pg_operator c
   JOIN pg_catalog.pg_namespace n ON n.oid = c.oprnamespace WHERE c.oid = o.oprcom) AS commutator,
  (SELECT pg_catalog.format('%I.%s', n.nspname, c.oprname) FROM pg_catalog.pg_operator c
   JOIN pg_catalog.pg_namespace n ON n.oid = c.oprnamespace WHERE c.oid = o.oprnegate) AS negator,
  NULLIF(o.oprrest, 0)::pg_catalog.regproc::text AS restrict, NULLIF(o.oprjoin, 0)::pg_catalog.regproc::text AS join,
  o.oprcanhash AS hashes, o.oprcanmerge AS merges
FROM pg_catalog.pg_operator o JOIN spaces s ON s.oid = o.oprnamespace
WHERE o.oprcode <> 0
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND m.objid = o.oid)

SELECT p.oid, p.prokind::text AS kind, pg_catalog.quote_ident(s.nspname) AS space, p.oid::pg_catalog.regprocedure::text AS name,
  pg_catalog.format('%I.%I(%s)', s.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS called,
  pg_catalog.format('%I.%I', s.nspname, p.proname) AS short,
  p.proowner::pg_catalog.regrole::text AS owner, p.proacl::text[] AS acl,
  pg_catalog.acldefault('f', p.proowner)::text[] AS plain,
  CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid) END AS text,
  pg_catalog.pg_get_function_result(p.oid) AS result, p.proargnames AS argument_names, p.pronargdefaults AS defaults,
  (SELECT d.refobjid FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    AND d.objid = p.oid AND d.deptype = 'i' AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass) AS of_type,
  p.proargmodes::text[] AS modes, l.lanname AS language, p.proargtypes::text AS types,
  CASE WHEN p.prokind = 'a' THEN (SELECT pg_catalog.json_build_object('kind', a.aggkind, 'direct', a.aggnumdirectargs,
      'sfunc', a.aggtransfn::pg_catalog.regproc::text, 'stype', pg_catalog.format_type(a.aggtranstype, NULL), 'sspace', a.aggtransspace,
      'finalfunc', NULLIF(a.aggfinalfn, 0)::pg_catalog.regproc::text, 'finalfunc_extra', a.aggfinalextra,
      'finalfunc_modify', a.aggfinalmodify, 'combinefunc', NULLIF(a.aggcombinefn, 0)::pg_catalog.regproc::text,
      'serialfunc', NULLIF(a.aggserialfn, 0)::pg_catalog.regproc::text,
      'deserialfunc', NULLIF(a.aggdeserialfn, 0)::pg_catalog.regproc::text, 'initcond', a.agginitval,
      'msfunc', NULLIF(a.aggmtransfn, 0)::pg_catalog.regproc::text, 'minvfunc', NULLIF(a.aggminvtransfn, 0)::pg_catalog.regproc::text,
      'mstype', NULLIF(a.aggmtranstype, 0)::pg_catalog.regtype::text, 'msspace', a.aggmtransspace,
      'mfinalfunc', NULLIF(a.aggmfinalfn, 0)::pg_catalog.regproc::text, 'mfinalfunc_extra', a.aggmfinalextra,
      'mfinalfunc_modify', a.aggmfinalmodify, 'minitcond', a.aggminitval,
      'sortop', NULLIF(a.aggsortop, 0)::pg_catalog.regoper::text, 'parallel', p.proparallel)
    FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = p.oid) END AS aggregate
FROM pg_catalog.pg_proc p JOIN spaces s ON s.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND m.objid = p.oid)

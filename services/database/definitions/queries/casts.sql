-- A multirange type brings its own cast with it.
SELECT c.oid, pg_catalog.format('(%s AS %s)', c.castsource::pg_catalog.regtype, c.casttarget::pg_catalog.regtype) AS name,
  c.castmethod::text AS method, c.castcontext::text AS context, NULLIF(c.castfunc, 0)::pg_catalog.regprocedure::text AS function
FROM pg_catalog.pg_cast c WHERE c.oid >= 16384
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND m.objid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND d.objid = c.oid
    AND d.deptype = 'i')

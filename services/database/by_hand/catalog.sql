DO $ops$
BEGIN
  IF pg_temp.ops_catalog_digest() <> {{expected}} THEN
    RAISE EXCEPTION 'the catalog is not the one that was rehearsed: nothing was changed'
      USING HINT = 'Rehearse again on the database as it is now, and take the new script.';
  END IF;
END
$ops$;

-- Only once, and only on the catalog that was rehearsed.
DO ${{tag}}$
DECLARE
  found text;
  waits integer;
BEGIN
  IF pg_catalog.to_regclass('ops.deploy_receipts') IS NOT NULL THEN
    EXECUTE 'SELECT pg_catalog.to_jsonb(r) ->> ''state'' FROM ops.deploy_receipts r WHERE id = $1'
      INTO found USING {{receipt}}::uuid;
  END IF;
  IF found = 'begun' THEN
    SELECT seq INTO waits FROM ops.deploy_steps WHERE receipt_id = {{receipt}} AND done_at IS NULL ORDER BY seq LIMIT 1;
    RAISE EXCEPTION 'this file has been run already, and file % comes next: nothing was changed by this one',
      ({{files}}::integer[])[waits + 1];
  ELSIF found IS NOT NULL THEN
    RAISE EXCEPTION 'this has been run already, and its receipt is there (%): nothing was changed', {{receipt}}
      USING HINT = 'Rehearse again and take a new script where it is to be deployed once more.';
  END IF;
  IF pg_temp.ops_catalog_digest() <> {{expected}} THEN
    RAISE EXCEPTION 'the catalog is not the one that was rehearsed: nothing was changed'
      USING HINT = 'Rehearse again on the database as it is now, and take the new script.';
  END IF;
END
${{tag}}$;

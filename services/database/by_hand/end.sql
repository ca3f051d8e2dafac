-- Two rows alike, which COMMIT refuses. Without savepoints in between, an error before this line would have ended it
-- all: then, and only then, they go again.
SET CONSTRAINTS pg_temp.ops_unchecked_why_key DEFERRED;
INSERT INTO pg_temp.ops_unchecked
SELECT 'this client goes on after an error: ' || {{unchanged}} FROM pg_catalog.generate_series(1, 2);
DELETE FROM pg_temp.ops_unchecked
WHERE (SELECT xmin::text FROM pg_catalog.pg_class WHERE oid = 'pg_temp.ops_unchecked'::pg_catalog.regclass)
  = (pg_catalog.pg_current_xact_id()::text::numeric % 4294967296)::text;
DROP FUNCTION pg_temp.ops_catalog_digest();
DROP FUNCTION pg_temp.ops_catalog();
{{resets}}COMMIT;
-- Read from the receipt: a client that goes on after an error (psql without ON_ERROR_STOP) comes here as well.
DO ${{tag}}$
DECLARE
  there boolean := false;
BEGIN
  IF pg_catalog.to_regclass('ops.deploy_receipts') IS NOT NULL AND pg_catalog.to_regclass('ops.deploy_steps') IS NOT NULL
  THEN
    EXECUTE {{is_in}} INTO there;
  END IF;
  PERFORM pg_catalog.set_config('ops.told', CASE WHEN there THEN {{told}} ELSE {{not_told}} END, false);
END
${{tag}}$;
SELECT pg_catalog.current_setting('ops.told') AS told;

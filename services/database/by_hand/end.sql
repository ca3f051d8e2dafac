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

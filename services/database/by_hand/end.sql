DROP FUNCTION pg_temp.ops_catalog_digest();
COMMIT;
SELECT {{told}} AS told;

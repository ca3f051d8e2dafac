DO ${{tag}}$
BEGIN
  IF pg_temp.ops_catalog_digest() <> {{expected}} THEN
    RAISE EXCEPTION 'the catalog has not become the rehearsed one: %', {{unchanged}};
  END IF;
END
${{tag}}$;

-- The facts of the whole catalog, and their digest, as the rehearsal computed it.
CREATE FUNCTION pg_temp.ops_catalog() RETURNS TABLE (name text, value text) LANGUAGE sql SET search_path = ''
  SET TimeZone = 'UTC' SET DateStyle = 'ISO, MDY' SET IntervalStyle = 'postgres' SET quote_all_identifiers = off
  AS ${{tag}}$
SELECT facts.name::text, facts.value::text FROM (
{{query}}
) AS facts(name, value)
${{tag}}$;
CREATE FUNCTION pg_temp.ops_catalog_digest() RETURNS text LANGUAGE sql SET search_path = '' AS ${{tag}}$
SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(COALESCE(pg_catalog.string_agg(
         facts.name || E'\x1f' || facts.value, E'\n' ORDER BY facts.name COLLATE pg_catalog."C"), ''), 'UTF8')), 'hex')
FROM pg_temp.ops_catalog() AS facts
${{tag}}$;

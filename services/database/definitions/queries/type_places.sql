-- Which object a type is an aspect of: an array of its element, a row type of its relation.
SELECT t.oid, t.typelem AS element, t.typrelid AS relation
FROM pg_catalog.pg_type t JOIN spaces s ON s.oid = t.typnamespace
WHERE t.typcategory = 'A' AND t.typelem <> 0 OR t.typrelid <> 0

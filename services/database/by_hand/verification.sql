DO ${{tag}}$
DECLARE
  found bigint;
  rows_of_one bigint;
BEGIN
  IF NOT {{there}} THEN
    RETURN;
  END IF;
  found := 0;
  BEGIN
    IF {{role}} IS NOT NULL THEN
      EXECUTE pg_catalog.format('SET LOCAL ROLE %I', {{role}});
    END IF;
{{statements}}
    -- Whatever the query did is undone, and so is the role.
    RAISE EXCEPTION USING ERRCODE = 'OPS00';
  EXCEPTION WHEN SQLSTATE 'OPS00' THEN
    IF found > 0 THEN
      RAISE EXCEPTION 'verification % found % rows that should not be: %', {{id}}, found, {{unchanged}};
    END IF;
  END;
END
${{tag}}$;

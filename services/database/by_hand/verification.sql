DO ${{outer}}$
DECLARE
  found bigint;
BEGIN
  IF NOT {{there}} THEN
    RETURN;
  END IF;
  BEGIN
    IF {{role}} IS NOT NULL THEN
      EXECUTE pg_catalog.format('SET LOCAL ROLE %I', {{role}});
    END IF;
    EXECUTE {{query}};
    GET DIAGNOSTICS found = ROW_COUNT;
    -- Whatever the query did is undone, and so is the role.
    RAISE EXCEPTION USING ERRCODE = 'OPS00';
  EXCEPTION WHEN SQLSTATE 'OPS00' THEN
    IF found > 0 THEN
      RAISE EXCEPTION 'verification % found % rows that should not be: nothing was changed', {{id}}, found;
    END IF;
  END;
END
${{outer}}$;

DO ${{outer}}$
DECLARE
  found bigint;
BEGIN
  BEGIN
    EXECUTE {{query}};
    GET DIAGNOSTICS found = ROW_COUNT;
    -- Whatever the query did is undone.
    RAISE EXCEPTION USING ERRCODE = 'OPS00';
  EXCEPTION WHEN SQLSTATE 'OPS00' THEN
    IF found > 0 THEN
      RAISE EXCEPTION 'verification % found % rows that should not be: nothing was changed', {{id}}, found;
    END IF;
  END;
END
${{outer}}$;

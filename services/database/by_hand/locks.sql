DO ${{tag}}$
DECLARE
  one record;
BEGIN
  FOR attempt IN 1 .. {{tries}} LOOP
    BEGIN
      FOR one IN
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, wanted.mode
        FROM (VALUES {{wanted}}) AS wanted(name, mode)
        JOIN pg_catalog.pg_namespace n ON pg_catalog.strpos(wanted.name, n.nspname || '.') = 1
        JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND n.nspname || '.' || c.relname = wanted.name
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' ORDER BY 1
      LOOP
        BEGIN
          EXECUTE pg_catalog.format('LOCK TABLE ONLY %s IN %s MODE', one.name, one.mode);
        EXCEPTION WHEN insufficient_privilege OR undefined_table OR invalid_schema_name OR wrong_object_type THEN
          NULL; -- The statement takes it by itself, and waits no longer than lock_timeout says.
        END;
      END LOOP;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF attempt = {{tries}} THEN
        RAISE EXCEPTION 'another session holds a lock that this needs: %', {{unchanged}}
          USING HINT = 'Look for long transactions in pg_stat_activity, or run it at a quieter time.';
      END IF;
      PERFORM pg_catalog.pg_sleep(0.1 + pg_catalog.random() * 0.4);
    END;
  END LOOP;
END
${{tag}}$;

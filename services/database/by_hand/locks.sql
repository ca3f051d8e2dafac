DO $ops$
BEGIN
  FOR attempt IN 1 .. {{tries}} LOOP
    BEGIN
    {{takes}}
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF attempt = {{tries}} THEN
        RAISE EXCEPTION 'another session holds a lock that this needs: nothing was changed'
          USING HINT = 'Look for long transactions in pg_stat_activity, or run it at a quieter time.';
      END IF;
      PERFORM pg_catalog.pg_sleep(0.1 + pg_catalog.random() * 0.4);
    END;
  END LOOP;
END
$ops$;

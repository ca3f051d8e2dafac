BEGIN;
SET LOCAL lock_timeout = '100ms';
SET LOCAL statement_timeout = '55s';
SET LOCAL idle_in_transaction_session_timeout = '60s';
DO $ops$
BEGIN
  IF current_user <> {{role}} THEN
    RAISE EXCEPTION 'this script was rehearsed as %, and runs as %: nothing was changed', {{role}}, current_user;
  END IF;
  IF NOT pg_catalog.pg_try_advisory_xact_lock({{lock}}) THEN
    RAISE EXCEPTION 'another deploy or rollback is under way on this database: nothing was changed';
  END IF;
  PERFORM pg_catalog.set_config('ops.search_path', pg_catalog.current_setting('search_path'), true);
END
$ops$;

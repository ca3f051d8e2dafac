--- do-says-success: varchar, empty
DO $$ BEGIN RAISE NOTICE 'Schema deployed successfully!'; END $$;
--- do-adds-columns-in-a-loop: varchar, uuid
DO $$
DECLARE col text;
BEGIN
  FOREACH col IN ARRAY ARRAY['a', 'b', 'weird "name"'] LOOP
    EXECUTE format('ALTER TABLE users ADD COLUMN IF NOT EXISTS %I int DEFAULT %L', col, 3);
  END LOOP;
END $$;
--- do-over-the-catalog: uuid, deployed
DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' LOOP
    EXECUTE 'ALTER TABLE ' || t || ' ENABLE ROW LEVEL SECURITY';
    EXECUTE format('COMMENT ON TABLE %s IS %L', t, 'secured; ''yes''');
  END LOOP;
END $$;
--- do-catches-duplicate: half, deployed
DO $$
BEGIN
  CREATE TYPE feedback_kind AS ENUM ('thumbs_up', 'thumbs_down', 'report', 'detailed');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
--- do-depends-on-data: varchar, uuid, empty
DO $$
BEGIN
  IF EXISTS (SELECT FROM journal_entries WHERE user_id::text = 'user_123') THEN
    CREATE TABLE found_legacy_ids (id int);
  ELSE
    CREATE TABLE all_ids_are_uuids (id int);
  END IF;
END $$;
DROP TABLE IF EXISTS found_legacy_ids, all_ids_are_uuids;
--- do-looks-at-the-type: varchar, uuid, half, deployed
DO $$
DECLARE kind text;
BEGIN
  SELECT data_type INTO STRICT kind FROM information_schema.columns
   WHERE table_schema = 'public' AND table_name = 'journal_entries' AND column_name = 'user_id';
  EXECUTE format('CREATE OR REPLACE FUNCTION entries_for(who %s) RETURNS bigint LANGUAGE sql STABLE AS %L', kind,
                 'SELECT count(*) FROM journal_entries WHERE user_id = who');
END $$;
SELECT entries_for((SELECT user_id FROM journal_entries LIMIT 1));
--- do-in-another-language-quotes: plain
DO LANGUAGE plpgsql 'DECLARE n int := 0; BEGIN n := n + 1; PERFORM n; END';
--- dynamic-with-using: varchar [unknowable]
DO $do$
DECLARE n bigint;
BEGIN
  EXECUTE 'SELECT count(*) FROM journal_entries WHERE mood_level > $1 AND user_id LIKE $2' INTO n USING 5, 'user%';
  RAISE INFO 'n=%', n;
  IF n = 0 THEN RAISE EXCEPTION 'no rows'; END IF;
END $do$;
--- savepoints-by-exception: varchar
DO $$
BEGIN
  FOR i IN 1..5 LOOP
    BEGIN
      INSERT INTO users (email) VALUES ('same@example.com');
    EXCEPTION
      WHEN unique_violation THEN RAISE NOTICE 'try % was one too many', i;
    END;
  END LOOP;
END $$;
--- raise-below-exception: varchar, plain
DO $$ BEGIN
  RAISE DEBUG 'd'; RAISE LOG 'l'; RAISE INFO 'i'; RAISE NOTICE 'n % %%', 1; RAISE WARNING USING MESSAGE = 'w', HINT = 'h';
END $$;
--- asserts-that-hold: uuid
DO $$ BEGIN
  ASSERT (SELECT count(*) FROM journal_entries) = 200, 'all entries';
  ASSERT NOT EXISTS (SELECT FROM journal_entries j WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = j.user_id));
END $$;
--- do-does-ddl-of-all-kinds: empty
DO $do$ BEGIN
  CREATE SEQUENCE s; CREATE TABLE t (id int DEFAULT nextval('s'), v text);
  CREATE VIEW v AS SELECT * FROM t; CREATE INDEX ON t (v);
  EXECUTE $$CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := upper(NEW.v); RETURN NEW; END'$$;
  CREATE TRIGGER up BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
  INSERT INTO t (v) VALUES ('x');
  IF (SELECT v FROM v) <> 'X' THEN RAISE EXCEPTION 'trigger did not fire'; END IF;
END $do$;
--- do-drops-all-views: varchar, deployed
DO $$
DECLARE r record;
BEGIN
  FOR r IN SELECT quote_ident(schemaname) || '.' || quote_ident(viewname) AS v FROM pg_views WHERE schemaname = 'public' LOOP
    EXECUTE 'DROP VIEW IF EXISTS ' || r.v || ' CASCADE';
  END LOOP;
END; $$;
--- constraint-name-looked-up: uuid
DO $$
DECLARE name text := (SELECT conname FROM pg_constraint WHERE conrelid = 'journal_entries'::regclass AND contype = 'f');
BEGIN
  IF name IS NOT NULL THEN EXECUTE format('ALTER TABLE journal_entries DROP CONSTRAINT %I', name); END IF;
END $$;
--- temp-function-and-tables: varchar
CREATE FUNCTION pg_temp.twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
CREATE TEMP TABLE work (n int); INSERT INTO work SELECT pg_temp.twice(g) FROM generate_series(1, 10) g;
UPDATE journal_entries SET energy_level = 5 WHERE mood_level IN (SELECT n FROM work);
DROP TABLE work;
--- settings-inside: varchar, plain
SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '2s';
SET LOCAL search_path = pg_catalog;
DO $$ BEGIN PERFORM set_config('app.release', 'beta-1', true); IF current_setting('app.release') <> 'beta-1' THEN RAISE 'not set'; END IF; END $$;
RESET search_path;
--- explicit-locks: varchar
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE checkins, journal_entries IN ACCESS EXCLUSIVE MODE NOWAIT;
SELECT pg_advisory_xact_lock(42);
SELECT id FROM users FOR UPDATE SKIP LOCKED;
--- current-user-and-version: varchar, plain
DO $$ BEGIN
  IF current_user <> 'postgres' OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RAISE EXCEPTION 'I am %', current_user; END IF;
  IF NOT pg_has_role('anon', 'MEMBER') THEN RAISE EXCEPTION 'not a member of anon'; END IF;
END $$;

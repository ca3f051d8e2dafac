--- null-in-not-null: varchar, uuid !null-value
ALTER TABLE journal_entries ALTER COLUMN stress_level SET NOT NULL;
--- null-inserted: varchar !null-value
INSERT INTO users (name)
VALUES ('nobody''s mail');
--- not-null-column-on-rows: uuid !null-value
ALTER TABLE checkins ADD COLUMN source text NOT NULL;
--- column-on-one-partition: plain !wrong-kind
ALTER TABLE shop.regions_eu ADD COLUMN no int;
--- primary-key-over-null-rows: plain !null-value
CREATE TABLE shop.keyless (id int); INSERT INTO shop.keyless VALUES (1), (NULL);
ALTER TABLE shop.keyless ADD PRIMARY KEY (id);
--- null-in-identity: deployed !other
INSERT INTO ai_usage_logs (id, user_id, model_used) SELECT 5, id, 'm' FROM users;
--- generated-written: plain !other
INSERT INTO shop.lines (order_id, line_no, sku, quantity, price, amount) VALUES (1, 9, 'A', 1, 1, 1);
--- duplicates-before-unique: varchar, uuid !duplicate-row
ALTER TABLE journal_entries
  ADD CONSTRAINT one_entry_a_person UNIQUE (user_id);
--- duplicates-before-unique-index: varchar !duplicate-row
CREATE UNIQUE INDEX ON checkins (user_id, mood) WHERE mood > 2;
--- duplicates-in-lower-case: half !duplicate-row
CREATE UNIQUE INDEX users_email_ci ON users (lower(email));
--- duplicates-of-mail-domain: uuid !duplicate-row [unknowable]
CREATE TABLE domains (name text PRIMARY KEY);
INSERT INTO domains SELECT split_part(email, '@', 2) FROM users;
--- duplicates-inserted: half, deployed !duplicate-row
INSERT INTO user_tier_limits (tier_name, daily_ai_limit, context_depth, max_tokens_per_request) VALUES ('free', 5, 3, 500);
--- duplicates-after-update: uuid !duplicate-row
UPDATE users SET email = 'one@example.com' WHERE NOT is_active;
--- duplicates-in-materialized-view: varchar !duplicate-row
CREATE MATERIALIZED VIEW m AS SELECT mood FROM checkins;
CREATE UNIQUE INDEX ON m (mood);
--- exclusion-broken: plain !duplicate-row
CREATE TABLE shop.slots (during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO shop.slots VALUES ('[1,5)'), ('[4,8)');
--- orphans-before-key: varchar !missing-row
ALTER TABLE users ADD COLUMN handle varchar(255) UNIQUE;
ALTER TABLE journal_entries ADD CONSTRAINT owned FOREIGN KEY (user_id) REFERENCES users (handle);
--- orphans-found-by-validate: varchar !missing-row
ALTER TABLE checkins DROP CONSTRAINT checkins_user_id_fkey;
DELETE FROM users WHERE NOT is_active;
ALTER TABLE checkins ADD CONSTRAINT owned FOREIGN KEY (user_id) REFERENCES users NOT VALID;
ALTER TABLE checkins VALIDATE CONSTRAINT owned;
--- seed-row-for-a-user-not-there: varchar, uuid, empty !missing-row
INSERT INTO checkins (user_id, mood) VALUES ('99999999-0000-4000-8000-000000000000', 5);
--- seed-row-for-a-user-by-number: deployed !bad-value
INSERT INTO ai_feedback (user_id, feedback_type) VALUES ('user_123', 'report');
--- parent-deleted: uuid !missing-row
DELETE FROM journal_entries WHERE mood_level = 9;
--- parent-key-changed: plain !missing-row
UPDATE shop.customers SET id = id + 1000 WHERE id = 1;
--- check-broken-by-rows: varchar, uuid !check-violation
ALTER TABLE journal_entries ADD CONSTRAINT calm CHECK (stress_level < 9);
--- check-broken-by-length: varchar !check-violation
ALTER TABLE journal_entries ADD CHECK (length(content) <= 55);
--- check-broken-by-insert: varchar !check-violation
INSERT INTO checkins (user_id, mood) SELECT id, 11 FROM users LIMIT 1;
--- check-of-domain-broken: plain !check-violation
UPDATE shop.orders SET total = total - 100;
--- check-of-new-domain-broken: plain !check-violation
ALTER DOMAIN shop.amount ADD CHECK (VALUE < 100);
--- check-option-broken: plain !check-violation
UPDATE shop.big_orders SET total = 1;
--- check-on-validate: varchar !check-violation
ALTER TABLE checkins ADD CONSTRAINT noted CHECK (note IS NOT NULL) NOT VALID;
ALTER TABLE checkins
VALIDATE CONSTRAINT noted;
--- partition-does-not-fit: plain !check-violation
CREATE TABLE shop.regions_x (LIKE shop.regions);
INSERT INTO shop.regions_x VALUES ('xx', 'X'), ('yy', 'Y');
ALTER TABLE shop.regions ATTACH PARTITION shop.regions_x FOR VALUES IN ('xx');
--- partition-overlaps: plain !other
CREATE TABLE shop.events_late PARTITION OF shop.events FOR VALUES FROM ('2026-02-15 00:00+00') TO ('2026-04-01 00:00+00');
--- default-partition-holds-it: plain !check-violation
CREATE TABLE shop.rest PARTITION OF shop.regions DEFAULT; INSERT INTO shop.regions VALUES ('it', 'Italy');
CREATE TABLE shop.regions_it PARTITION OF shop.regions FOR VALUES IN ('it');
--- deferred-key-at-commit: plain !missing-row
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO shop.lines (order_id, line_no, sku, quantity, price) VALUES (5000, 1, 'X', 1, 1);
SELECT 'all seems well';
--- deferred-new-key-at-commit: varchar !missing-row
ALTER TABLE checkins ALTER CONSTRAINT checkins_user_id_fkey DEFERRABLE INITIALLY DEFERRED;
INSERT INTO checkins (user_id, mood) VALUES ('99999999-0000-4000-8000-000000000000', 5);
DO $$ BEGIN RAISE NOTICE 'Deployed!'; END $$;
--- deferred-unique-at-commit: uuid !duplicate-row
ALTER TABLE users ADD COLUMN rank int DEFAULT 1, ADD CONSTRAINT ranked UNIQUE (rank) DEFERRABLE INITIALLY DEFERRED;
--- deferred-unique-by-update-at-commit: uuid !duplicate-row
CREATE TABLE ranks (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO ranks SELECT generate_series(1, 5);
UPDATE ranks SET n = 3 WHERE n > 3;
--- deferred-trigger-at-commit: varchar !raised
CREATE FUNCTION at_the_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'too late for %', NEW.id; END $$;
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_the_end();
UPDATE users SET name = 'x';
--- deferred-made-immediate: plain !missing-row
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO shop.lines (order_id, line_no, sku, quantity, price) VALUES (5001, 1, 'X', 1, 1);
SET CONSTRAINTS ALL IMMEDIATE;
SELECT 1;
--- raised-by-guard: varchar !raised [unknowable]
DO $$
BEGIN
  IF EXISTS (SELECT FROM journal_entries WHERE user_id !~ '^[0-9a-f-]{36}$') THEN
    RAISE EXCEPTION 'There are % ids that are no uuid', (SELECT count(*) FROM journal_entries)
      USING HINT = 'clean up first';
  END IF;
END $$;
--- raised-where-nothing-is: empty !raised
DO $$ BEGIN IF NOT EXISTS (SELECT FROM users) THEN RAISE EXCEPTION 'No users: wrong database?'; END IF; END $$;
--- raised-with-own-state: uuid !other
DO $$ BEGIN RAISE SQLSTATE 'PT402' USING MESSAGE = 'pay first'; END $$;
--- raised-by-condition-name: varchar !check-violation
DO $$ BEGIN RAISE check_violation USING MESSAGE = 'as if'; END $$;
--- assertion-fails: varchar !raised
DO $$ BEGIN ASSERT (SELECT count(*) FROM users) = 41, 'must be 41 users'; END $$;
--- raised-in-function-called: uuid !raised
CREATE FUNCTION guard() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stop here'; END $$;
CREATE TABLE more (id int); SELECT guard(); CREATE TABLE never (id int);
--- raised-by-trigger: varchar !raised
CREATE FUNCTION no_deletes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no deletes in %', TG_TABLE_NAME; END $$;
CREATE TRIGGER keep BEFORE DELETE ON checkins FOR EACH ROW EXECUTE FUNCTION no_deletes();
DELETE FROM checkins WHERE mood = 10;
--- raised-again: varchar !duplicate-row
DO $$ BEGIN
  INSERT INTO users (email) SELECT email FROM users;
EXCEPTION WHEN unique_violation THEN RAISE NOTICE 'caught'; RAISE;
END $$;
--- no-data-found: varchar !other
DO $$ DECLARE who uuid; BEGIN SELECT id INTO STRICT who FROM users WHERE name = 'not there at all'; END $$;
--- too-many-rows: uuid !other
DO $$ DECLARE who uuid; BEGIN SELECT id INTO STRICT who FROM users; END $$;
--- permission-on-auth: varchar !permission
ALTER TABLE auth.users ADD COLUMN plan text;
--- permission-drop-auth-trigger: uuid !permission
CREATE INDEX ON auth.users (phone);
--- permission-schema-auth: varchar !permission
CREATE TABLE auth.extra (id int);
--- permission-storage-policy: varchar !permission
CREATE POLICY anyone ON storage.objects FOR SELECT USING (bucket_id = 'avatars');
--- permission-superuser-extension: varchar !permission
CREATE EXTENSION file_fdw;
--- permission-set-role: varchar !permission
SET ROLE supabase_auth_admin;
--- permission-as-anon: uuid !permission
SET LOCAL ROLE anon;
SELECT count(*) FROM journal_entries;
--- permission-rls-insert: uuid !permission
ALTER TABLE checkins ENABLE ROW LEVEL SECURITY; GRANT INSERT ON checkins TO authenticated; GRANT USAGE ON SEQUENCE checkins_id_seq TO authenticated;
SET LOCAL ROLE authenticated;
INSERT INTO checkins (user_id, mood) VALUES ('00000000-0000-4000-8000-000000000001', 3);
--- permission-pg-catalog: varchar !permission
UPDATE pg_class SET relname = 'x' WHERE relname = 'users';
--- permission-alter-system: varchar !permission
/*apart*/ALTER SYSTEM SET work_mem = '1GB';/*together*/
--- permission-copy-file: varchar !permission
COPY users TO '/tmp/users.csv' CSV;
--- permission-read-file: uuid !permission
SELECT pg_read_file('/etc/passwd');
--- permission-setting: varchar !permission
SET session_replication_role = replica;
--- permission-event-trigger: varchar !permission
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION extensions.pgrst_ddl_watch();
--- permission-give-away: varchar !permission
ALTER TABLE users OWNER TO supabase_auth_admin;
--- permission-leakproof: varchar !permission
CREATE FUNCTION l() RETURNS int LEAKPROOF LANGUAGE sql AS 'SELECT 1';
--- permission-comment-on-database: varchar !permission
COMMENT ON DATABASE template0 IS 'x';
--- read-only-transaction: varchar !other
SET TRANSACTION READ ONLY;
CREATE TABLE t (id int);
--- statement-timeout-own: varchar !timeout
SET LOCAL statement_timeout = '40ms';
SELECT pg_sleep(2);
--- recursion-without-end: plain !other
CREATE FUNCTION shop.forever(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN shop.forever(n + 1); END $$;
SELECT shop.forever(1);
--- enum-value-used-in-same-transaction: deployed !not-in-transaction
ALTER TYPE feedback_kind ADD VALUE 'praise';
INSERT INTO ai_feedback (user_id, feedback_type) SELECT id, 'praise' FROM users LIMIT 1;
--- enum-value-used-in-check: plain !not-in-transaction
ALTER TYPE shop.state ADD VALUE IF NOT EXISTS 'lost' BEFORE 'sent';
CREATE INDEX ON shop.orders (id)
  WHERE status = 'lost';
--- commit-in-do: varchar !not-in-transaction
DO $$
BEGIN
  UPDATE users SET name = 'x';
  COMMIT;
END $$;
--- commit-in-procedure: plain !not-in-transaction
CREATE OR REPLACE PROCEDURE shop.batches() LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..3 LOOP UPDATE shop.orders SET note = 'n' WHERE id = i; COMMIT; END LOOP; END $$;
CALL shop.batches();
--- rollback-in-do: uuid !not-in-transaction
DO $$ BEGIN DELETE FROM checkins; ROLLBACK; END $$;
--- concurrently-in-do: varchar !not-in-transaction
DO $$ BEGIN EXECUTE 'CREATE INDEX CONCURRENTLY ON users (name)'; END $$;
--- savepoint-never-set: varchar !other
CREATE TABLE t (id int);
ROLLBACK TO SAVEPOINT never_set;
--- failed-then-goes-on: uuid !missing-relation
CREATE TABLE ok (id int);
SELECT * FROM first_wrong;
SELECT * FROM second_wrong;

--- create-table-plain: varchar, empty
CREATE TABLE journal_summaries (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id varchar(255) NOT NULL,
  summary text,
  period_start date,
  period_end date CHECK (period_end IS NULL OR period_end >= period_start),
  created_at timestamptz NOT NULL DEFAULT now()
);
--- create-table-if-not-exists: uuid, half
CREATE TABLE IF NOT EXISTS ai_usage_logs (id bigserial PRIMARY KEY, user_id text, cost_usd numeric);
CREATE INDEX IF NOT EXISTS ai_usage_logs_user ON ai_usage_logs (user_id);
--- create-table-like-all: varchar, deployed
CREATE TABLE users_archive (LIKE users INCLUDING ALL, archived_at timestamptz DEFAULT now());
INSERT INTO users_archive (id, email) SELECT id, email FROM users WHERE NOT is_active;
--- create-table-as-select: uuid
CREATE TABLE busy_users AS
  SELECT user_id, count(*) AS entries FROM journal_entries GROUP BY user_id HAVING count(*) > 3
WITH DATA;
--- create-table-as-no-data: varchar
CREATE TABLE IF NOT EXISTS entry_shape AS TABLE journal_entries WITH NO DATA;
--- create-temporary-table-and-use: varchar, empty
CREATE TEMPORARY TABLE picked ON COMMIT DROP AS SELECT id FROM journal_entries WHERE mood_level > 7;
UPDATE journal_entries SET tags = tags || 'good'::text WHERE id IN (SELECT id FROM picked);
--- create-unlogged-table: uuid
CREATE UNLOGGED TABLE import_buffer (raw jsonb, seen_at timestamptz DEFAULT clock_timestamp());
--- create-schema-with-elements: varchar
CREATE SCHEMA reporting
  CREATE TABLE runs (id int PRIMARY KEY, at timestamptz)
  CREATE VIEW last_run AS SELECT max(at) AS at FROM runs;
GRANT USAGE ON SCHEMA reporting TO authenticated;
--- drop-table-if-exists: varchar, uuid, plain
DROP TABLE IF EXISTS no_such_table, neither_this_one;
DROP VIEW IF EXISTS no_such_view CASCADE;
--- drop-table-cascade: varchar
DROP TABLE journal_entries CASCADE;
--- drop-view-then-table: empty
DROP VIEW mood_by_user;
DROP TABLE ai_analyses;
DROP FUNCTION entry_count(varchar);
DROP TABLE journal_entries;
--- rename-table-and-back: uuid
ALTER TABLE checkins RENAME TO check_ins;
ALTER TABLE check_ins RENAME TO checkins;
--- rename-table: varchar
ALTER TABLE checkins RENAME TO check_ins;
ALTER SEQUENCE checkins_id_seq RENAME TO check_ins_id_seq;
ALTER INDEX checkins_pkey RENAME TO check_ins_pkey;
--- move-table-to-schema: varchar
CREATE SCHEMA IF NOT EXISTS archive;
ALTER TABLE checkins SET SCHEMA archive;
SELECT count(*) FROM archive.checkins;
--- truncate-restart: varchar
TRUNCATE checkins RESTART IDENTITY;
INSERT INTO checkins (user_id, mood) SELECT id, 5 FROM users ORDER BY email LIMIT 2;
--- truncate-cascade: uuid
TRUNCATE users CASCADE;
--- comment-on-a-schema: varchar, plain
COMMENT ON SCHEMA public IS 'the app''s tables; nothing else';
--- comments-on-objects: varchar
COMMENT ON COLUMN users.email IS $$person's address; "unique"$$;
COMMENT ON INDEX checkins_user_id_idx IS E'tab\there';
COMMENT ON FUNCTION touch_updated_at() IS 'sets updated_at';
COMMENT ON CONSTRAINT checkins_mood_check ON checkins IS '1..10';
COMMENT ON TRIGGER users_touch ON users IS NULL;
COMMENT ON POLICY users_read_self ON users IS 'own row';
--- storage-parameters: varchar, deployed
ALTER TABLE users SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE users RESET (fillfactor);
ALTER TABLE users ALTER email SET STATISTICS 300, ALTER email SET STORAGE EXTERNAL;
--- replica-identity-and-cluster: uuid
ALTER TABLE journal_entries REPLICA IDENTITY FULL;
ALTER TABLE checkins CLUSTER ON checkins_user_id_idx;
CLUSTER checkins;
--- grants-to-api-roles: varchar, deployed
GRANT SELECT, INSERT, UPDATE (mood, note) ON checkins TO authenticated;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO authenticated, service_role;
REVOKE ALL ON users FROM anon;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO service_role;
--- owner-to-itself: varchar
ALTER TABLE checkins OWNER TO postgres;
ALTER VIEW mood_by_user OWNER TO CURRENT_USER;
ALTER FUNCTION touch_updated_at() OWNER TO SESSION_USER;
--- table-without-columns: plain
CREATE TABLE nothing ();
ALTER TABLE nothing ADD COLUMN something int;
--- inheritance-child: plain
CREATE TABLE shop.bicycles (gears int CHECK (gears > 0)) INHERITS (shop.vehicles);
INSERT INTO shop.bicycles VALUES (10, 'racer', 2, 21);
UPDATE shop.assets SET name = upper(name);
--- inheritance-detached: plain
ALTER TABLE shop.vehicles NO INHERIT shop.assets;
ALTER TABLE shop.vehicles ADD CHECK (wheels <> 1) NOT VALID;
--- quoted-names: plain
CREATE TABLE "Büro"."Tür; nicht ""die"" andere" ("Größe in m²" numeric, "user" text, "Ключ" int PRIMARY KEY);
INSERT INTO "Büro"."Tür; nicht ""die"" andere" VALUES (1.5, 'ü', 1);
--- unicode-escapes: plain
CREATE TABLE U&"d\0061t\+000061" (id int);
INSERT INTO data VALUES (1);
SELECT U&'\0441\043B\043E\043D' UESCAPE '\' , U&"!0069!0064" UESCAPE '!' FROM data;
--- long-name-is-cut: varchar
CREATE TABLE a_table_whose_name_is_so_very_long_that_the_server_will_cut_it_at_sixty_three_bytes (id int);
SELECT id FROM a_table_whose_name_is_so_very_long_that_the_server_will_cut_it_;
--- sequence-work: plain
CREATE SEQUENCE IF NOT EXISTS shop.ticket_numbers AS integer INCREMENT 5 MINVALUE 5 MAXVALUE 500 CYCLE;
SELECT setval('shop.invoice_numbers', 5000), nextval('shop.invoice_numbers');
ALTER SEQUENCE shop.ticket_numbers OWNED BY shop.orders.id;
DO $$ BEGIN IF nextval('shop.invoice_numbers') < 5001 THEN RAISE EXCEPTION 'lost'; END IF; END $$;
--- sequence-goes-on-from-where-it-stood: varchar
DO $$ BEGIN IF nextval('checkins_id_seq') <> 121 THEN RAISE EXCEPTION 'the sequence stood elsewhere'; END IF; END $$;
SELECT setval('checkins_id_seq', 120);
--- security-and-access-method: uuid
CREATE TABLE notes_heap (id int) USING heap WITH (toast_tuple_target = 4096);
ALTER TABLE notes_heap ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--- extension-with-if-not-exists: varchar
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA extensions;
SELECT extensions.uuid_generate_v4();
--- trusted-extension: uuid
CREATE EXTENSION IF NOT EXISTS citext SCHEMA extensions;
ALTER TABLE users ADD COLUMN nick extensions.citext UNIQUE;
UPDATE users SET nick = 'N' || left(id::text, 4) || right(id::text, 6);
SELECT * FROM users WHERE nick = 'n0000000001';
--- rule-on-view: varchar
CREATE RULE entries_no_delete AS ON DELETE TO mood_by_user DO INSTEAD NOTHING;
DELETE FROM mood_by_user;
--- extended-statistics: varchar
CREATE STATISTICS IF NOT EXISTS users_stats (ndistinct, mcv) ON email, name FROM users;
ANALYZE users;

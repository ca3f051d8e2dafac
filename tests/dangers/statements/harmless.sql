-- What good changes look like, and what only looks dangerous.
--@
SELECT 1;
--@
SELECT count(*) FROM public.entries;
--@
CREATE TABLE public.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL);
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
--@
CREATE TABLE IF NOT EXISTS public.settings (key text PRIMARY KEY, value text NOT NULL);
--@
CREATE TABLE private.notes AS SELECT id, content FROM public.entries;
CREATE INDEX ON private.notes (id);
--@
CREATE TABLE public.badges (id int PRIMARY KEY, user_id uuid REFERENCES public.users (id) ON DELETE CASCADE);
ALTER TABLE public.badges ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.badges FOR ALL TO authenticated USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());
GRANT SELECT, INSERT ON public.badges TO authenticated;
--@
CREATE TABLE private.t (id int);
INSERT INTO private.t VALUES (1), (2);
DELETE FROM private.t;
DROP TABLE private.t;
--@
CREATE TEMP TABLE scratch AS SELECT id FROM public.entries;
DELETE FROM scratch;
DROP TABLE scratch;
--@
ALTER TABLE public.users ADD COLUMN nickname text;
--@
ALTER TABLE public.users ADD COLUMN credits int NOT NULL DEFAULT 0;
--@
ALTER TABLE public.users ADD COLUMN joined timestamptz DEFAULT now();
--@
ALTER TABLE public.entries ADD COLUMN IF NOT EXISTS mood int;
--@
ALTER TABLE public.users ALTER COLUMN name TYPE varchar(80);
--@
ALTER TABLE public.users ALTER COLUMN name TYPE text;
--@
ALTER TABLE public.users ALTER COLUMN balance TYPE numeric(12,2);
--@
ALTER TABLE public.users ALTER COLUMN name SET DEFAULT 'nobody';
--@
ALTER TABLE public.entries ADD CONSTRAINT mood_range CHECK (mood BETWEEN 1 AND 10) NOT VALID;
--@
ALTER TABLE public.plain_links ADD FOREIGN KEY (entry_id) REFERENCES public.entries (id) NOT VALID;
--@ apart
CREATE INDEX CONCURRENTLY entries_mood ON public.entries (mood);
--@ apart
DROP INDEX CONCURRENTLY public.entries_user;
--@ apart
REINDEX TABLE CONCURRENTLY public.entries;
--@ apart
VACUUM public.entries;
--@ apart
VACUUM (ANALYZE) public.users;
--@
ANALYZE public.entries;
--@
DROP INDEX public.entries_user;
--@
DROP VIEW reports.moods;
--@
DROP TABLE public.empty_things;
--@
ALTER TABLE public.empty_things DROP COLUMN extra;
--@
TRUNCATE public.empty_things;
--@
CREATE INDEX ON public.empty_things (label);
--@
ALTER TABLE public.empty_things ALTER COLUMN label SET NOT NULL, ALTER COLUMN extra TYPE bigint;
--@
DELETE FROM public.comments WHERE id < 0;
--@
UPDATE public.users SET name = name;
--@
UPDATE public.settings SET value = 'light' WHERE key = 'theme';
--@
INSERT INTO public.settings VALUES ('theme', 'dark') ON CONFLICT DO NOTHING;
--@
INSERT INTO public.settings VALUES ('color', 'blue'), ('size', 'large') ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value;
--@
MERGE INTO public.settings s USING (VALUES ('color', 'blue')) AS v (key, value) ON s.key = v.key WHEN NOT MATCHED THEN INSERT VALUES (v.key, v.value);
--@
MERGE INTO public.settings s USING (VALUES ('theme', 'light')) AS v (key, value) ON s.key = v.key WHEN MATCHED THEN UPDATE SET value = v.value;
--@
ALTER TABLE public.users ADD COLUMN is_premium boolean;
CREATE FUNCTION public.is_premium(who uuid) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT is_premium FROM public.users WHERE id = who $$;
--@
DO $$ BEGIN EXECUTE 'SELECT 1'; PERFORM count(*) FROM public.users; END $$;
--@
DO $$ BEGIN DELETE FROM public.comments; RAISE EXCEPTION 'no'; EXCEPTION WHEN others THEN NULL; END $$;
--@
DO $$ BEGIN IF false THEN DELETE FROM public.users; END IF; END $$;
--@
DO $$ BEGIN RAISE NOTICE 'DROP TABLE users; DELETE FROM users'; END $$;
--@
SELECT 'DROP TABLE public.users; GRANT ALL ON public.users TO anon';
--@
SAVEPOINT s;
DELETE FROM public.comments;
ROLLBACK TO SAVEPOINT s;
--@
CREATE FUNCTION public.add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT a + b $$;
--@
CREATE FUNCTION public.set_name(who uuid, given text) RETURNS void LANGUAGE sql AS $$ UPDATE public.users SET name = given WHERE id = who $$;
--@
CREATE FUNCTION private.mail_of(who uuid) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$ SELECT email FROM public.users WHERE id = who $$;
REVOKE EXECUTE ON FUNCTION private.mail_of(uuid) FROM PUBLIC;
--@
CREATE FUNCTION public.new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$ BEGIN INSERT INTO public.settings VALUES (NEW.id::text, 'x'); RETURN NEW; END $$;
CREATE TRIGGER on_new AFTER INSERT ON public.empty_things FOR EACH ROW EXECUTE FUNCTION public.new_user();
--@
CREATE TRIGGER touch_again BEFORE UPDATE ON public.entries FOR EACH ROW EXECUTE FUNCTION public.touch();
--@
CREATE VIEW public.own_mails WITH (security_invoker = true) AS SELECT id, email FROM public.users;
GRANT SELECT ON public.own_mails TO authenticated;
--@
CREATE VIEW private.mails AS SELECT email FROM public.users;
--@
CREATE OR REPLACE VIEW public.my_entries WITH (security_invoker = true) AS SELECT id, user_id, mood, kind FROM public.entries;
--@
CREATE POLICY own_update ON public.users FOR UPDATE TO authenticated USING (id = auth.uid()) WITH CHECK (id = auth.uid());
--@
DROP POLICY own_user ON public.users;
CREATE POLICY own_user ON public.users FOR SELECT TO authenticated USING (id = auth.uid());
--@
ALTER POLICY own_entries ON public.entries USING (user_id = auth.uid() AND mood > 0);
--@
GRANT SELECT ON public.settings TO authenticated;
--@
GRANT SELECT ON public.plain_links TO service_role;
--@
REVOKE ALL ON public.announcements FROM anon;
--@
ALTER TABLE public.users FORCE ROW LEVEL SECURITY;
--@
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
--@ superuser
CREATE ROLE plain_group NOLOGIN;
GRANT SELECT ON public.settings TO plain_group;
--@ renames=public.plain_links>public.links
ALTER TABLE public.plain_links RENAME TO links;
--@ renames=public.plain_links>private.plain_links
ALTER TABLE public.plain_links SET SCHEMA private;
--@ columns=public.users.legacy_code>old_code
ALTER TABLE public.users RENAME COLUMN legacy_code TO old_code;
--@ parts=public.events>public.events_2025
ALTER TABLE public.events DETACH PARTITION public.events_2025;
--@
CREATE TABLE private.events_2019 PARTITION OF public.empty_parts FOR VALUES FROM ('2019-01-01') TO ('2020-01-01');
--@ blocking
CREATE TABLE private.rest_2027 (LIKE public.moving INCLUDING ALL);
WITH moved AS (DELETE FROM public.moving_rest WHERE day >= '2027-01-01' AND day < '2028-01-01' RETURNING *) INSERT INTO private.rest_2027 SELECT * FROM moved;
ALTER TABLE public.moving ATTACH PARTITION private.rest_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
--@
ALTER TYPE public.tier ADD VALUE 'enterprise';
--@
COMMENT ON TABLE public.users IS 'DROP TABLE users';
--@
SELECT nextval('public.ticket_numbers');
--@
SELECT setval('public.entries_id_seq', (SELECT max(id) FROM public.entries) + 100);
--@
CREATE SEQUENCE public.numbers;
SELECT setval('public.numbers', 10);
--@
REFRESH MATERIALIZED VIEW CONCURRENTLY reports.daily;
--@
BEGIN;
ALTER TABLE public.users ADD COLUMN nickname text;
INSERT INTO public.settings VALUES ('nicknames', 'on');
COMMIT;
--@
SET LOCAL lock_timeout = '100ms';
ALTER TABLE public.entries ALTER COLUMN mood SET DEFAULT 5;
--@
ALTER TABLE public.users ADD COLUMN nickname text;
UPDATE public.settings SET value = 'light' WHERE key = 'theme';
--@
CREATE STATISTICS private.entry_stats (dependencies) ON mood, kind FROM public.entries;
--@
ALTER INDEX public.entries_user RENAME TO entries_by_user;
--@
CREATE TYPE public.color AS ENUM ('red', 'blue');
CREATE DOMAIN public.mood_level AS int CHECK (VALUE BETWEEN 1 AND 10);
--@ superuser
ALTER VIEW reports.moods OWNER TO app_reader;

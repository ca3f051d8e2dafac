-- Written after the engine was, and never used to shape it: what it says of these is what it says of anybody's script.
--@ loss blocking
ALTER TABLE public.entries ALTER COLUMN tags TYPE text USING array_to_string(tags, ',');
--@ loss
WITH old AS (DELETE FROM public.events WHERE day < '2025-06-01' RETURNING *) INSERT INTO public.events SELECT id, day + 365, what FROM old;
--@ loss
UPDATE public.events SET day = (day + interval '1 year')::date WHERE day < '2025-02-01';
--@
CREATE TEMP TABLE keep AS SELECT * FROM public.comments;
DELETE FROM public.comments;
INSERT INTO public.comments SELECT * FROM keep;
--@ blocking
CREATE TEMP TABLE keep AS SELECT * FROM public.comments;
TRUNCATE public.comments;
INSERT INTO public.comments SELECT * FROM keep;
--@
CREATE TABLE private.settings_new AS TABLE public.settings;
DROP TABLE public.settings;
ALTER TABLE private.settings_new SET SCHEMA public;
ALTER TABLE public.settings_new RENAME TO settings;
--@ blocking
ALTER TABLE public.users ADD COLUMN mail text;
UPDATE public.users SET mail = email;
ALTER TABLE public.users DROP COLUMN email CASCADE;
ALTER TABLE public.users RENAME COLUMN mail TO email;
--@ security superuser
DROP FUNCTION auth.uid() CASCADE;
--@
ALTER TABLE public.comments DROP CONSTRAINT comments_entry_id_fkey;
--@
SELECT pg_advisory_xact_lock(1);
--@
CREATE RULE keep_users AS ON DELETE TO public.users DO INSTEAD NOTHING;
--@ loss probe=UPDATE public.entries SET mood = mood WHERE id = 1
CREATE OR REPLACE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.users SET balance = 0; RETURN NEW; END $$;
--@
ALTER TABLE public.entries REPLICA IDENTITY FULL;
--@
ALTER TABLE public.entries SET (fillfactor = 90);
--@
ALTER TABLE public.entries ALTER COLUMN content SET STORAGE EXTERNAL;
--@
ALTER TABLE public.comments ALTER COLUMN body SET NOT NULL;
--@ blocking
ALTER TABLE public.plain_links ADD CHECK (id > 0);
--@ blocking
DROP INDEX public.entries_user;
SELECT count(*) FROM public.comments;
--@
ALTER SEQUENCE public.entries_id_seq OWNED BY NONE;
--@
ALTER SEQUENCE public.entries_id_seq INCREMENT BY 2;
--@ loss
ALTER TABLE public.entries ALTER COLUMN id DROP DEFAULT;
DROP SEQUENCE public.entries_id_seq;
--@
GRANT USAGE ON SCHEMA private TO anon;
--@
GRANT SELECT ON reports.moods TO anon;
--@
GRANT EXECUTE ON FUNCTION public.entry_count(uuid) TO anon;
--@ security
CREATE POLICY signed_in ON public.users FOR SELECT TO authenticated USING (auth.role() = 'authenticated');
--@ security
CREATE POLICY signed_in ON public.entries FOR SELECT TO authenticated USING ((SELECT auth.uid()) IS NOT NULL);
--@ security
CREATE POLICY always ON public.entries FOR SELECT TO authenticated USING ((SELECT true));
--@
CREATE TABLE public.closed (id int PRIMARY KEY);
INSERT INTO public.closed VALUES (1);
ALTER TABLE public.closed ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON public.closed TO anon, authenticated;
--@
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO service_role;
--@ security superuser
GRANT anon TO app_reader;
--@
UPDATE public.users SET about = NULL WHERE about IS NULL;
--@
MERGE INTO public.settings s USING (VALUES ('theme')) AS v (key) ON s.key = v.key WHEN MATCHED THEN DO NOTHING;
--@
INSERT INTO public.settings VALUES ('theme', 'dark') ON CONFLICT (key) DO UPDATE SET value = settings.value;
--@
DO $$ BEGIN EXECUTE 'TRUNCATE public.empty_things'; EXECUTE 'DELETE FROM public.users WHERE false'; END $$;
--@
ALTER TABLE public.entries ENABLE ALWAYS TRIGGER touch_entry;
--@
CREATE INDEX ON ONLY public.events (id);
--@
CREATE MATERIALIZED VIEW reports.kinds AS SELECT kind, count(*) FROM public.entries GROUP BY 1;
--@
LOCK TABLE public.settings IN SHARE MODE;
INSERT INTO public.settings VALUES ('a', 'b');
--@
ALTER TABLE public.settings ADD COLUMN n int;
UPDATE public.settings SET n = 1;
--@ loss
CREATE FUNCTION private.purge(older date) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN WITH gone AS (DELETE FROM public.events WHERE day < older RETURNING 1) SELECT count(*) INTO n FROM gone; RETURN n; END $$;
SELECT private.purge('2025-05-01');
--@ loss
DO $$ DECLARE r record; BEGIN FOR r IN SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c WHERE c.column_name = 'legacy_code' LOOP EXECUTE format('ALTER TABLE %I.%I DROP COLUMN %I', r.table_schema, r.table_name, r.column_name); END LOOP; END $$;
--@ loss blocking
ALTER TABLE public.plain_links ALTER COLUMN url TYPE varchar(20) USING url::varchar(20);

-- Tables, schemas and types that go, and what goes with them.
--@ loss
DROP TABLE public.plain_links;
--@ loss
DROP TABLE IF EXISTS public.plain_links;
--@ loss
DROP TABLE public.entries CASCADE;
--@ loss
DROP TABLE public.comments, public.plain_links;
--@ loss
DROP SCHEMA private CASCADE;
--@ loss
DROP SCHEMA reports CASCADE;
--@ loss
DROP TABLE public.events;
--@ loss
DROP TABLE public.events_2025;
--@ loss
DROP TABLE public.special_logs;
--@ loss
DROP TABLE public.logs CASCADE;
--@ loss
DROP TYPE public.tier CASCADE;
--@ loss
DROP MATERIALIZED VIEW reports.daily;
--@ loss
DO $$ BEGIN DROP TABLE public.plain_links; END $$;
--@ loss
DO $$ BEGIN EXECUTE 'DROP TABLE public.' || 'plain_links'; END $$;
--@ loss
DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'private' LOOP EXECUTE format('DROP TABLE private.%I', t); END LOOP; END $$;
--@ loss
CREATE FUNCTION private.clean() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE IF EXISTS public.plain_links; END $$;
SELECT private.clean();
--@ loss
ALTER TABLE public.plain_links RENAME TO old_links;
DROP TABLE public.old_links;
--@ loss
CREATE TABLE public.links_new (id int PRIMARY KEY, url text);
DROP TABLE public.plain_links;
ALTER TABLE public.links_new RENAME TO plain_links;
--@ loss
CREATE TABLE public.links_new (LIKE public.plain_links);
INSERT INTO public.links_new SELECT * FROM public.plain_links WHERE id > 10;
DROP TABLE public.plain_links;
ALTER TABLE public.links_new RENAME TO plain_links;
--@ loss
ALTER TABLE public.events DETACH PARTITION public.events_2025;
DROP TABLE public.events_2025;
--@ loss
DROP TABLE private.secrets;
CREATE TABLE private.secrets (id int PRIMARY KEY, value text);
--@ loss
TRUNCATE public.plain_links;
--@ loss
TRUNCATE public.entries CASCADE;
--@ loss
TRUNCATE TABLE public.events_2026;
--@ loss
TRUNCATE public.plain_links RESTART IDENTITY;
--@ loss
TRUNCATE public.comments, private.secrets;
--@ loss
DO $$ BEGIN TRUNCATE public.plain_links; END $$;
--@ loss
DO $$ BEGIN EXECUTE format('TRUNCATE %I.%I', 'public', 'comments'); END $$;
--@ loss
TRUNCATE public.logs;
--@ loss
TRUNCATE ONLY public.logs;
--@ loss
DROP OWNED BY app_keeper;

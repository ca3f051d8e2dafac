-- Tables, views and schemas that strangers come to reach.
--@ security
ALTER TABLE public.users DISABLE ROW LEVEL SECURITY;
--@ security
ALTER TABLE public.entries DISABLE ROW LEVEL SECURITY;
--@ security
DO $$ BEGIN EXECUTE 'ALTER TABLE public.users DISABLE ROW LEVEL SECURITY'; END $$;
--@ security
GRANT SELECT ON public.plain_links TO anon;
--@ security
GRANT SELECT, INSERT ON public.plain_links TO authenticated;
--@ security
GRANT ALL ON public.plain_links TO PUBLIC;
--@ security
GRANT SELECT (id, url) ON public.plain_links TO anon;
--@ security
GRANT SELECT ON ALL TABLES IN SCHEMA public TO anon;
--@ security
DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP EXECUTE format('GRANT SELECT ON public.%I TO authenticated', t); END LOOP; END $$;
--@ security
GRANT INSERT ON api.plans TO anon;
--@ security
GRANT UPDATE, DELETE ON api.plans TO authenticated;
--@ security
GRANT TRUNCATE ON public.users TO authenticated;
--@ security
GRANT ALL ON public.settings TO anon;
--@ security
CREATE TABLE public.orders (id int PRIMARY KEY, total int);
GRANT SELECT ON public.orders TO anon;
--@ security
CREATE TABLE api.orders (id int PRIMARY KEY, total int);
INSERT INTO api.orders VALUES (1, 1);
GRANT ALL ON api.orders TO anon, authenticated;
--@ security
CREATE TABLE public.orders AS SELECT id, email FROM public.users;
GRANT SELECT ON public.orders TO authenticated;
--@ security
CREATE POLICY all_users ON public.users FOR SELECT TO authenticated USING (true);
--@ security
CREATE POLICY everyone ON public.entries FOR ALL TO authenticated USING (true) WITH CHECK (true);
--@ security
CREATE POLICY everyone ON public.users FOR SELECT USING (1 = 1);
--@ security
CREATE POLICY everyone ON public.users FOR SELECT USING (id IS NOT NULL);
--@ security
CREATE POLICY anyone_writes ON public.entries FOR INSERT TO authenticated WITH CHECK (true);
--@ security
CREATE POLICY anyone_deletes ON public.entries FOR DELETE TO authenticated USING (true);
--@ security
ALTER POLICY own_user ON public.users USING (true);
--@ security
ALTER POLICY own_user ON public.users USING (id = auth.uid() OR tier = 'free');
--@ security
ALTER POLICY published ON public.announcements USING (published OR NOT published);
--@ security
ALTER POLICY published ON public.announcements USING (true);
--@ security
DROP POLICY not_hidden ON public.documents;
--@ security
DROP POLICY own_entries ON public.entries;
--@ security
DROP POLICY own_user ON public.users;
--@ security
DO $$ DECLARE p record; BEGIN FOR p IN SELECT policyname, tablename FROM pg_policies WHERE schemaname = 'public' LOOP EXECUTE format('DROP POLICY %I ON public.%I', p.policyname, p.tablename); END LOOP; END $$;
--@ security
CREATE VIEW public.all_mails AS SELECT id, email FROM public.users;
GRANT SELECT ON public.all_mails TO anon;
--@ security
CREATE VIEW public.all_entries WITH (security_barrier = true) AS SELECT * FROM public.entries;
GRANT SELECT ON public.all_entries TO authenticated;
--@ security
ALTER VIEW public.my_entries RESET (security_invoker);
--@ security
ALTER VIEW public.my_entries SET (security_invoker = false);
--@ security
CREATE OR REPLACE VIEW public.my_entries AS SELECT id, user_id, mood FROM public.entries;
--@ security
GRANT SELECT ON reports.daily TO anon;
GRANT USAGE ON SCHEMA reports TO anon;
--@ security
GRANT SELECT ON private.secrets TO authenticated;
GRANT USAGE ON SCHEMA private TO authenticated;
--@ security
CREATE MATERIALIZED VIEW public.mails AS SELECT email FROM public.users;
GRANT SELECT ON public.mails TO authenticated;
--@ security
GRANT CREATE ON SCHEMA public TO PUBLIC;
--@ security
GRANT CREATE ON SCHEMA api TO anon;
--@ security
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO anon;
--@ security
ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT ALL ON TABLES TO authenticated;
--@ security
ALTER TABLE public.users NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
--@ security
CREATE TABLE public.leaks (id int PRIMARY KEY, body text);
INSERT INTO public.leaks VALUES (1, 'a');
ALTER TABLE public.leaks ENABLE ROW LEVEL SECURITY;
CREATE POLICY open ON public.leaks FOR SELECT TO anon USING (true);
GRANT SELECT ON public.leaks TO anon;
--@ security blocking
ALTER TABLE public.users DISABLE ROW LEVEL SECURITY;
CREATE INDEX ON public.entries (mood);
--@ security loss blocking
ALTER TABLE public.users DISABLE ROW LEVEL SECURITY;
DELETE FROM public.users WHERE tier = 'pro';

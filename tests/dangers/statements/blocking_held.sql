-- A lock that takes no time by itself, and is then held while later statements of the transaction work.
--@ blocking
ALTER TABLE public.users ADD COLUMN nickname text;
SELECT count(*) FROM public.entries;
--@ blocking
ALTER TABLE public.entries ADD COLUMN a int;
CREATE TABLE private.copy AS SELECT * FROM public.plain_links;
--@ blocking
ALTER TABLE public.users ADD COLUMN nickname text;
UPDATE public.users SET nickname = email;
--@ blocking
ALTER TABLE public.users ADD COLUMN entries int NOT NULL DEFAULT 0;
UPDATE public.users u SET entries = (SELECT count(*) FROM public.entries e WHERE e.user_id = u.id);
--@ blocking
CREATE TABLE public.badges (id int PRIMARY KEY, user_id uuid REFERENCES public.users (id));
ALTER TABLE public.badges ENABLE ROW LEVEL SECURITY;
SELECT max(length(content)) FROM public.entries;
--@ blocking
CREATE TRIGGER touch_again BEFORE UPDATE ON public.entries FOR EACH ROW EXECUTE FUNCTION public.touch();
CREATE TABLE private.totals AS SELECT user_id, count(*) FROM public.plain_links GROUP BY 1;
--@ blocking
ALTER TABLE public.plain_links ADD CONSTRAINT has_url CHECK (url IS NOT NULL) NOT VALID;
ALTER TABLE public.plain_links VALIDATE CONSTRAINT has_url;
--@ blocking
ALTER TABLE public.plain_links ADD CONSTRAINT to_entry FOREIGN KEY (entry_id) REFERENCES public.entries (id) NOT VALID;
ALTER TABLE public.plain_links VALIDATE CONSTRAINT to_entry;
--@ blocking
LOCK TABLE public.users IN ACCESS EXCLUSIVE MODE;
CREATE TABLE private.mails AS SELECT id, email FROM public.users;
--@ blocking
CREATE POLICY more ON public.entries FOR SELECT TO service_role USING (user_id = auth.uid());
CREATE INDEX ON public.plain_links (user_id);
--@ blocking
ALTER TABLE public.settings ADD COLUMN note text;
INSERT INTO private.secrets SELECT i, 'more' FROM generate_series(100000, 120000) i;
--@ blocking
DO $$ BEGIN ALTER TABLE public.users ADD COLUMN nickname text; PERFORM count(*) FROM public.entries; END $$;
--@ blocking
ALTER TABLE public.users ADD COLUMN nickname text;
DO $$ BEGIN PERFORM count(*) FROM public.entries; END $$;
--@ blocking
ALTER TABLE public.users ALTER COLUMN name SET DEFAULT '';
SELECT pg_sleep(0.6);
--@ blocking
DROP VIEW reports.moods;
CREATE TABLE private.moods AS SELECT user_id, avg(mood) AS mood FROM public.entries GROUP BY 1;
CREATE VIEW reports.moods AS SELECT * FROM private.moods;
--@ blocking columns=public.users.legacy_code>old_code
COMMENT ON TABLE public.users IS 'people';
ALTER TABLE public.users RENAME COLUMN legacy_code TO old_code;
SELECT count(*) FROM public.comments c JOIN public.entries e ON e.id = c.entry_id;
--@ loss blocking
ALTER TABLE public.users ADD COLUMN nickname text;
DELETE FROM public.comments;
--@ loss blocking
ALTER TABLE public.users DROP COLUMN legacy_code;
SELECT count(*) FROM public.entries WHERE mood = 3;
--@ loss blocking
TRUNCATE public.plain_links;
INSERT INTO public.plain_links SELECT id, id, user_id, 'x' FROM public.entries;
--@ blocking
BEGIN;
ALTER TABLE public.entries ALTER COLUMN kind SET DEFAULT 'none';
SELECT sum(length(body)) FROM public.comments;
COMMIT;
--@ blocking
ALTER TABLE public.entries DISABLE TRIGGER touch_entry;
UPDATE public.entries SET kind = kind;
ALTER TABLE public.entries ENABLE TRIGGER touch_entry;
--@ blocking
CREATE TABLE public.links_new (LIKE public.plain_links INCLUDING ALL);
LOCK TABLE public.plain_links IN EXCLUSIVE MODE;
INSERT INTO public.links_new SELECT * FROM public.plain_links;
DROP TABLE public.plain_links;
ALTER TABLE public.links_new RENAME TO plain_links;
ALTER TABLE public.plain_links ENABLE ROW LEVEL SECURITY;
--@ blocking
ALTER TABLE public.users ADD COLUMN name_copy varchar(50);
DO $$ DECLARE r record; BEGIN FOR r IN SELECT id, name FROM public.users LOOP UPDATE public.users SET name_copy = r.name WHERE id = r.id; END LOOP; END $$;

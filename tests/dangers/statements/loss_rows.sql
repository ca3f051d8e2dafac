-- Rows that go or are written over.
--@ loss
DELETE FROM public.comments;
--@ loss
DELETE FROM public.comments WHERE id < 5;
--@ loss
DELETE FROM public.users WHERE email = 'person1@example.com';
--@ loss
DELETE FROM public.entries WHERE id = 3;
--@ loss
DELETE FROM public.entries USING public.users u WHERE u.id = user_id AND u.tier = 'pro';
--@ loss
WITH gone AS (DELETE FROM public.comments WHERE id <= 3 RETURNING id) SELECT count(*) FROM gone;
--@ loss
WITH gone AS (DELETE FROM public.plain_links RETURNING *) SELECT 1;
--@ loss
WITH old AS (SELECT id FROM public.entries ORDER BY id LIMIT 3), gone AS (DELETE FROM public.entries e USING old WHERE e.id = old.id RETURNING e.id) SELECT * FROM gone;
--@ loss
CREATE TABLE private.archive AS SELECT * FROM public.comments WHERE false;
WITH moved AS (DELETE FROM public.comments RETURNING *) INSERT INTO private.archive SELECT * FROM moved;
--@ loss
DELETE FROM ONLY public.logs WHERE id < 4;
--@ loss
DELETE FROM public.events WHERE day < '2025-03-01';
--@ loss
UPDATE public.users SET tier = 'free';
--@ loss
UPDATE public.users SET tier = 'team' WHERE tier = 'pro';
--@ loss
UPDATE public.settings SET value = 'dark' WHERE key = 'theme';
--@ loss
UPDATE public.entries SET content = NULL WHERE id = 1;
--@ loss
UPDATE public.users SET email = lower(replace(email, 'person', 'user'));
--@ loss
UPDATE public.entries e SET kind = 'other' FROM public.users u WHERE u.id = e.user_id AND u.tier = 'pro';
--@ loss
UPDATE public.entries SET meta = meta || '{"seen": true}';
--@ loss
UPDATE public.entries SET mood = mood;
--@ loss
WITH changed AS (UPDATE public.users SET balance = 0 RETURNING id) SELECT count(*) FROM changed;
--@ loss
MERGE INTO public.settings s USING (VALUES ('theme', 'dark')) AS v (key, value) ON s.key = v.key WHEN MATCHED THEN UPDATE SET value = v.value WHEN NOT MATCHED THEN INSERT VALUES (v.key, v.value);
--@ loss
MERGE INTO public.plain_links l USING public.entries e ON l.entry_id = e.id WHEN MATCHED AND e.mood = 3 THEN DELETE;
--@ loss
MERGE INTO public.users u USING (SELECT DISTINCT user_id FROM public.entries) e ON u.id = e.user_id WHEN MATCHED THEN UPDATE SET legacy_code = 'seen';
--@ loss
INSERT INTO public.settings VALUES ('theme', 'dark') ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value;
--@ loss
INSERT INTO public.announcements VALUES (1, 'Other news', true) ON CONFLICT (id) DO UPDATE SET title = EXCLUDED.title;
--@ loss
DO $$ BEGIN DELETE FROM public.comments WHERE id > 20; END $$;
--@ loss
DO $$ BEGIN IF EXISTS (SELECT FROM public.users) THEN UPDATE public.users SET balance = 0; END IF; END $$;
--@ loss
DO $$ BEGIN EXECUTE 'DEL' || 'ETE FROM public.comments'; END $$;
--@ loss
DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM public.users LOOP UPDATE public.users SET name = 'x' WHERE id = r.id; END LOOP; END $$;
--@ loss
DO $$ DECLARE t text := 'comments'; BEGIN EXECUTE format('DELETE FROM public.%I WHERE id %% 2 = 0', t); END $$;
--@ loss
DO $$ BEGIN BEGIN DELETE FROM public.comments; EXCEPTION WHEN others THEN NULL; END; END $$;
--@ loss
DO $$ BEGIN EXECUTE convert_from(decode('VVBEQVRFIHB1YmxpYy51c2VycyBTRVQgYmFsYW5jZSA9IDA=', 'base64'), 'utf8'); END $$;
--@ loss
CREATE FUNCTION private.wipe() RETURNS int LANGUAGE sql AS $$ DELETE FROM public.comments; SELECT 1 $$;
SELECT private.wipe();
DROP FUNCTION private.wipe();
--@ loss
CREATE PROCEDURE private.wipe() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.plain_links WHERE id < 9; END $$;
CALL private.wipe();
DROP PROCEDURE private.wipe();
--@ loss blocking
ALTER TABLE public.users ADD COLUMN is_premium boolean;
UPDATE public.users SET is_premium = true, balance = balance + 1;
--@ loss
CREATE VIEW private.link_view AS SELECT * FROM public.plain_links;
DELETE FROM private.link_view WHERE id = 1;
--@ loss
CREATE RULE no_delete AS ON INSERT TO public.empty_things DO ALSO DELETE FROM public.comments WHERE id = 1;
INSERT INTO public.empty_things VALUES (1, 'x', 1);
--@ loss
CREATE FUNCTION private.on_thing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.settings SET value = 'off' WHERE key = 'mail'; RETURN NEW; END $$;
CREATE TRIGGER t AFTER INSERT ON public.empty_things FOR EACH ROW EXECUTE FUNCTION private.on_thing();
INSERT INTO public.empty_things VALUES (1, 'x', 1);
--@ loss
DELETE FROM public.settings WHERE key NOT IN (SELECT kind FROM public.entries);
--@ loss
UPDATE public.events SET day = day + 1;
--@ loss
SELECT setval('public.entries_id_seq', 1);
--@ loss
SELECT setval('public.ticket_numbers', 1, false);
--@ loss
ALTER SEQUENCE public.ticket_numbers RESTART;
--@ loss
ALTER SEQUENCE public.entries_id_seq RESTART WITH 10;
--@ loss
ALTER TABLE public.comments ALTER COLUMN id RESTART WITH 1;
--@ loss
DROP SEQUENCE public.ticket_numbers;
--@ loss
DO $$ BEGIN PERFORM setval('public.ticket_numbers', 5); END $$;
--@ loss
ALTER TABLE public.comments ALTER COLUMN id DROP IDENTITY;
--@ loss
UPDATE public.users SET name = upper(name) WHERE id IN (SELECT user_id FROM public.entries LIMIT 2);
--@ loss
DELETE FROM public.documents d WHERE hidden AND NOT EXISTS (SELECT FROM public.users u WHERE u.email = d.body);
--@ loss
UPDATE private.secrets SET value = md5(value);
--@ loss superuser
SET session_replication_role = replica;
DELETE FROM public.users WHERE email LIKE '%1@%';
--@ loss
BEGIN;
DELETE FROM public.comments WHERE id = 7;
COMMIT;

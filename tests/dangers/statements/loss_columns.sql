-- Columns that go, values that are cut, labels that change, and functions that will change rows again.
--@ loss
ALTER TABLE public.users DROP COLUMN legacy_code;
--@ loss
ALTER TABLE public.users DROP COLUMN IF EXISTS legacy_code, DROP COLUMN balance;
--@ loss
ALTER TABLE public.entries DROP COLUMN mood CASCADE;
--@ loss
DO $$ BEGIN ALTER TABLE public.users DROP COLUMN legacy_code; END $$;
--@ loss
DO $$ BEGIN EXECUTE format('ALTER TABLE %I.%I DROP COLUMN %I', 'public', 'plain_links', 'url'); END $$;
--@ loss
ALTER TABLE public.users DROP COLUMN name;
ALTER TABLE public.users ADD COLUMN name varchar(50);
--@ loss
ALTER TABLE public.events DROP COLUMN what;
--@ loss
ALTER TABLE public.logs DROP COLUMN line;
--@ loss blocking
ALTER TABLE public.users ALTER COLUMN balance TYPE int;
--@ loss blocking
ALTER TABLE public.entries ALTER COLUMN score TYPE numeric(10,0);
--@ loss blocking
ALTER TABLE public.entries ALTER COLUMN content TYPE varchar(10) USING left(content, 10);
--@ loss blocking
ALTER TABLE public.users ALTER COLUMN created_at TYPE date;
--@ loss blocking
ALTER TABLE public.plain_links ALTER COLUMN entry_id TYPE boolean USING entry_id > 5;
--@ loss blocking
ALTER TABLE public.entries ALTER COLUMN meta TYPE text USING NULL;
--@ loss blocking
ALTER TABLE public.plain_links ALTER COLUMN entry_id TYPE smallint USING (entry_id % 100)::smallint;
--@ loss blocking
ALTER TABLE public.users ALTER COLUMN tier DROP DEFAULT, ALTER COLUMN tier TYPE text USING 'tier';
--@ loss blocking
DO $$ BEGIN EXECUTE 'ALTER TABLE public.users ALTER COLUMN name TYPE varchar(3) USING substr(name, 1, 3)'; END $$;
--@ loss
ALTER TYPE public.tier RENAME VALUE 'pro' TO 'plus';
--@ loss
DO $$ BEGIN ALTER TYPE public.tier RENAME VALUE 'free' TO 'basic'; END $$;
--@ loss
CREATE FUNCTION public.set_up_users() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE public.users SET balance = 0; END $$;
--@ loss blocking
ALTER TABLE public.users ADD COLUMN is_premium boolean DEFAULT false;
CREATE FUNCTION public.make_beta_users() RETURNS int LANGUAGE sql AS $$ UPDATE public.users SET is_premium = true; SELECT 1 $$;
SELECT public.make_beta_users();
--@ loss
CREATE FUNCTION public.clean_up() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.comments WHERE id < 10; END $$;
--@ loss
CREATE PROCEDURE public.nightly() LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DELETE FROM public.plain_links'; END $$;
--@ loss
CREATE FUNCTION public.reset_all(why text) RETURNS void LANGUAGE sql AS $$ UPDATE public.users SET balance = 0 $$;
--@ loss probe=INSERT INTO public.empty_things VALUES (99, 'x', 1)
CREATE FUNCTION public.on_thing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.users SET balance = 0; RETURN NEW; END $$;
CREATE TRIGGER thing_added AFTER INSERT ON public.empty_things FOR EACH ROW EXECUTE FUNCTION public.on_thing();
--@ loss probe=INSERT INTO public.empty_things VALUES (99, 'x', 1)
CREATE FUNCTION public.on_thing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.comments; RETURN NULL; END $$;
CREATE TRIGGER thing_added AFTER INSERT ON public.empty_things FOR EACH STATEMENT EXECUTE FUNCTION public.on_thing();

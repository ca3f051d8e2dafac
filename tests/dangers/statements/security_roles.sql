-- Functions with their owner's rights, owners, roles and memberships.
--@ security
CREATE FUNCTION public.mail_of(who uuid) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT email FROM public.users WHERE id = who $$;
--@ security
CREATE FUNCTION public.mail_of(who uuid) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$ SELECT email FROM public.users WHERE id = who $$;
--@ security
CREATE FUNCTION public.all_mails() RETURNS SETOF text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public AS $$ BEGIN RETURN QUERY SELECT email FROM public.users; END $$;
GRANT EXECUTE ON FUNCTION public.all_mails() TO anon;
--@ security
DO $$ BEGIN EXECUTE 'CREATE FUNCTION public.f() RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS ''SELECT 1'''; END $$;
--@ security
ALTER FUNCTION public.entry_count(uuid) SECURITY DEFINER;
--@ security
ALTER FUNCTION private.owner_of(bigint) RESET search_path;
GRANT EXECUTE ON FUNCTION private.owner_of(bigint) TO anon;
--@ security
GRANT EXECUTE ON FUNCTION private.owner_of(bigint) TO authenticated;
GRANT USAGE ON SCHEMA private TO authenticated;
--@ security
CREATE FUNCTION public.new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO settings VALUES (NEW.id::text, 'x'); RETURN NEW; END $$;
CREATE TRIGGER on_new AFTER INSERT ON public.users FOR EACH ROW EXECUTE FUNCTION public.new_user();
--@ security
CREATE PROCEDURE public.set_tier(who uuid) LANGUAGE sql SECURITY DEFINER AS $$ UPDATE public.users SET tier = 'pro' WHERE id = who $$;
--@ security superuser
ALTER ROLE app_reader BYPASSRLS;
--@ security superuser
ALTER ROLE app_reader SUPERUSER;
--@ security superuser
ALTER ROLE app_reader CREATEROLE;
--@ security superuser
ALTER ROLE app_reader LOGIN PASSWORD 'open';
--@ security superuser
ALTER ROLE app_reader REPLICATION;
--@ security superuser
CREATE ROLE helper SUPERUSER;
--@ security superuser
CREATE ROLE helper LOGIN BYPASSRLS PASSWORD 'open';
--@ security superuser
CREATE USER reporting PASSWORD 'open';
--@ security superuser
DO $$ BEGIN EXECUTE 'ALTER ROLE ' || 'app_reader' || ' BYPASSRLS'; END $$;
--@ security superuser
GRANT service_role TO anon;
--@ security superuser
GRANT service_role TO app_reader;
--@ security superuser
GRANT pg_read_all_data TO authenticated;
--@ security superuser
GRANT pg_write_all_data TO app_reader;
--@ security superuser
GRANT app_keeper TO authenticated;
--@ security superuser
GRANT authenticator TO app_reader WITH ADMIN OPTION;
--@ security superuser
ALTER TABLE public.users OWNER TO anon;
--@ security superuser
ALTER TABLE public.plain_links OWNER TO authenticated;
--@ security superuser
ALTER TABLE public.users OWNER TO app_reader;
--@ security superuser
ALTER SCHEMA public OWNER TO authenticated;
--@ security superuser
ALTER TABLE public.entries OWNER TO anon;
--@ security superuser
DO $$ BEGIN EXECUTE format('GRANT %I TO %I', 'service_role', 'authenticated'); END $$;

-- The roles of a Supabase project. Cluster-wide; run as the superuser; running it again changes nothing.
DO $roles$
DECLARE
    wanted constant text[][] := ARRAY[
        ['postgres',                'NOSUPERUSER CREATEDB CREATEROLE LOGIN REPLICATION BYPASSRLS'],
        ['anon',                    'NOLOGIN NOINHERIT'],
        ['authenticated',           'NOLOGIN NOINHERIT'],
        ['service_role',            'NOLOGIN NOINHERIT BYPASSRLS'],
        ['authenticator',           'LOGIN NOINHERIT'],
        ['supabase_auth_admin',     'NOLOGIN NOINHERIT CREATEROLE'],
        ['supabase_storage_admin',  'NOLOGIN NOINHERIT CREATEROLE'],
        ['supabase_read_only_user', 'LOGIN BYPASSRLS']
    ];
    i int;
BEGIN
    FOR i IN 1 .. array_length(wanted, 1) LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted[i][1]) THEN
            EXECUTE format('CREATE ROLE %I %s', wanted[i][1], wanted[i][2]);
        END IF;
    END LOOP;
END
$roles$;

GRANT pg_monitor, pg_read_all_data, pg_signal_backend TO postgres;
GRANT pg_read_all_data TO supabase_read_only_user;
GRANT anon, authenticated, service_role TO authenticator;
GRANT anon, authenticated, service_role, authenticator TO postgres WITH ADMIN OPTION;

ALTER ROLE postgres SET search_path = "$user", public, extensions;
ALTER ROLE supabase_auth_admin SET search_path = auth;
ALTER ROLE supabase_storage_admin SET search_path = storage;
ALTER ROLE anon SET statement_timeout = '3s';
ALTER ROLE authenticated SET statement_timeout = '8s';
ALTER ROLE authenticator SET statement_timeout = '8s';
ALTER ROLE authenticator SET lock_timeout = '8s';
ALTER ROLE supabase_read_only_user SET default_transaction_read_only = on;

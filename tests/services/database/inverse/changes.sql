-- What releases do to the rich schema, one thing at a time: each after a line with its family and name.
--- table: new table
CREATE TABLE public.n (id int PRIMARY KEY, u uuid REFERENCES public.users);
--- table: new table with serial
CREATE TABLE public.n (id bigserial PRIMARY KEY, at date DEFAULT now());
--- table: new table with identity
CREATE TABLE app.n (id int GENERATED ALWAYS AS IDENTITY, t text);
--- table: new tables that refer to each other
CREATE TABLE public.n1 (id int PRIMARY KEY);
CREATE TABLE public.n2 (id int PRIMARY KEY, o int REFERENCES public.n1);
ALTER TABLE public.n1 ADD o int REFERENCES public.n2;
--- table: new reference from an old table
CREATE TABLE public.n (id int PRIMARY KEY);
ALTER TABLE public.users ADD nn int REFERENCES public.n;
--- table: new partition
CREATE TABLE app.ev_3 PARTITION OF app.ev FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
--- table: detach
ALTER TABLE app.ev DETACH PARTITION app.ev_1;
--- table: drop partition
ALTER TABLE app.fk_ev DROP CONSTRAINT fk_ev_id_at_fkey;
DROP TABLE app.ev_1;
--- table: drop table
DROP TABLE app.fk_ev;
--- table: drop table with view
DROP TABLE public.users CASCADE;
--- table: drop partitioned
DROP TABLE app.ev CASCADE;
--- table: unlogged
ALTER TABLE app.fk_ev DROP CONSTRAINT fk_ev_id_at_fkey;
ALTER TABLE app.fk_ev SET UNLOGGED;
--- table: logged
ALTER TABLE app.ul SET LOGGED;
--- table: options
ALTER TABLE public.users SET (fillfactor=50, autovacuum_enabled=false);
--- table: options gone
ALTER TABLE public.users RESET (fillfactor);
--- table: options all gone
ALTER TABLE public.users RESET (fillfactor, toast.autovacuum_enabled);
--- table: options come
ALTER TABLE app.base SET (fillfactor=50);
--- table: replica identity
ALTER TABLE public.users REPLICA IDENTITY FULL;
--- table: replica identity default
ALTER TABLE public."Odd Table" REPLICA IDENTITY DEFAULT;
--- table: replica identity nothing
ALTER TABLE app.base REPLICA IDENTITY NOTHING;
--- table: cluster
ALTER TABLE public.users SET WITHOUT CLUSTER;
--- table: inherit
ALTER TABLE app.child NO INHERIT app.base;
--- table: new child
CREATE TABLE app.child3 (q int) INHERITS (app.base);
--- table: drop parent
DROP TABLE app.base CASCADE;
--- table: drop child
DROP TABLE app.child2;
--- table: made anew
DROP TABLE app.fk_ev;
CREATE TABLE app.fk_ev (other text, id int);
--- table: made anew the same
DROP TABLE app.ul;
CREATE UNLOGGED TABLE app.ul (a int);
--- table: new schema
CREATE SCHEMA other;
CREATE TABLE other.t (id serial PRIMARY KEY, m app.mood);
CREATE VIEW other.v AS SELECT * FROM other.t;
CREATE FUNCTION other.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
GRANT USAGE ON SCHEMA other TO def_anon;
--- table: schema dropped
DROP SCHEMA app CASCADE;
--- column: add column
ALTER TABLE public.users ADD COLUMN x int NOT NULL DEFAULT 4;
--- column: add columns
ALTER TABLE public.users ADD COLUMN x int, ADD COLUMN y text CHECK (y <> ''), ADD UNIQUE (x);
--- column: add serial
ALTER TABLE app.base ADD COLUMN x serial;
--- column: add identity
ALTER TABLE app.fk_ev ADD COLUMN x int GENERATED ALWAYS AS IDENTITY;
--- column: add generated
ALTER TABLE app.fk_ev ADD COLUMN x bigint GENERATED ALWAYS AS (id + 1) STORED;
--- column: add to partitioned
ALTER TABLE app.ev ADD COLUMN x int NOT NULL DEFAULT 1;
--- column: add to parent
ALTER TABLE app.base ADD COLUMN x int NOT NULL DEFAULT 1;
--- column: drop last
ALTER TABLE app.fk_ev DROP COLUMN at;
--- column: drop column
ALTER TABLE public.users DROP COLUMN tags;
--- column: drop last two
ALTER TABLE public.users DROP COLUMN last, DROP COLUMN "after";
--- column: drop with view
ALTER TABLE public.users DROP COLUMN mood CASCADE;
--- column: drop key
ALTER TABLE public."Odd Table" DROP COLUMN id CASCADE;
--- column: drop generated
ALTER TABLE public.users DROP COLUMN low;
--- column: drop in partitioned
ALTER TABLE app.ev DROP COLUMN u;
--- column: drop in parent
ALTER TABLE app.base DROP COLUMN late;
--- column: retype
ALTER TABLE app.fk_ev DROP CONSTRAINT fk_ev_id_at_fkey;
ALTER TABLE app.fk_ev ALTER id TYPE int;
--- column: retype to text
ALTER TABLE public."Odd Table" ALTER "Camel" TYPE text;
--- column: retype with default
ALTER TABLE app.base ALTER late DROP DEFAULT, ALTER late TYPE text, ALTER late SET DEFAULT 'x';
--- column: retype under a view
DROP VIEW public.upd;
ALTER TABLE public.users DROP COLUMN low;
DROP TRIGGER t1 ON public.users;
DROP POLICY own ON public.users;
DROP MATERIALIZED VIEW app.mv CASCADE;
DROP STATISTICS app.st;
DROP INDEX public.users_lower_idx;
ALTER TABLE public.users DROP CONSTRAINT nolong;
ALTER PUBLICATION pub DROP TABLE public.users;
ALTER TABLE public.users ALTER name TYPE text;
CREATE VIEW public.upd AS SELECT id, name FROM public.users;
--- column: retype key
ALTER TABLE app.fk_ev DROP CONSTRAINT fk_ev_id_at_fkey;
ALTER TABLE app.ev ALTER v TYPE bigint;
--- column: retype in parent
ALTER TABLE app.base ALTER a TYPE bigint;
--- column: retype referenced
ALTER TABLE public.users DROP CONSTRAINT users_last_fkey;
ALTER TABLE public."Odd Table" ALTER id TYPE numeric;
ALTER TABLE public.users ALTER last TYPE numeric;
ALTER TABLE public.users ADD CONSTRAINT users_last_fkey FOREIGN KEY (last) REFERENCES public."Odd Table" (id) DEFERRABLE INITIALLY DEFERRED;
--- column: collation
ALTER TABLE public."Odd Table" ALTER "user" TYPE text COLLATE "C";
--- column: default
ALTER TABLE public.users ALTER mood SET DEFAULT 'high';
--- column: default gone
ALTER TABLE public.users ALTER mood DROP DEFAULT;
--- column: default comes
ALTER TABLE public.users ALTER name SET DEFAULT lower('X');
--- column: default with new function
CREATE FUNCTION public.d() RETURNS text LANGUAGE sql AS $$ SELECT 'd' $$;
ALTER TABLE public.users ALTER name SET DEFAULT public.d();
--- column: default changed to new sequence
CREATE SEQUENCE public.sq;
ALTER TABLE app.base ALTER late SET DEFAULT nextval('public.sq');
--- column: not null
ALTER TABLE public."Odd Table" ALTER "user" SET NOT NULL;
--- column: null
ALTER TABLE public.users ALTER name DROP NOT NULL;
--- column: identity gone
ALTER TABLE public.users ALTER n DROP IDENTITY;
--- column: identity otherwise
ALTER TABLE public.users ALTER n SET GENERATED ALWAYS SET INCREMENT 10 SET MAXVALUE 100000;
--- column: identity comes
ALTER TABLE app.uses_f ALTER a DROP DEFAULT, ALTER a SET NOT NULL, ALTER a ADD GENERATED BY DEFAULT AS IDENTITY;
--- column: not generated
ALTER TABLE public.users ALTER low DROP EXPRESSION;
--- column: storage
ALTER TABLE public.users ALTER name SET STORAGE MAIN, ALTER name SET COMPRESSION DEFAULT, ALTER name SET STATISTICS 10, ALTER tags SET STORAGE EXTERNAL;
--- column: column option
ALTER TABLE public.users ALTER name RESET (n_distinct), ALTER mood SET (n_distinct=3);
--- column: column of a composite
ALTER TYPE app.pair ADD ATTRIBUTE c int;
--- part: check
ALTER TABLE public.users ADD CONSTRAINT c1 CHECK (n > 0);
--- part: check not valid
ALTER TABLE public.users ADD CONSTRAINT c1 CHECK (n > 0) NOT VALID;
--- part: validated
ALTER TABLE public.users VALIDATE CONSTRAINT nolong;
--- part: check gone
ALTER TABLE public.users DROP CONSTRAINT nolong;
--- part: check otherwise
ALTER TABLE public.users DROP CONSTRAINT nolong;
ALTER TABLE public.users ADD CONSTRAINT nolong CHECK (length(name) < 10);
--- part: check of partitioned
ALTER TABLE app.ev ADD CHECK (id > 0);
--- part: check of partitioned gone
ALTER TABLE app.ev DROP CONSTRAINT ev_v_check;
--- part: check of parent
ALTER TABLE app.base ADD CHECK (b <> '');
--- part: unique
ALTER TABLE public.users ADD CONSTRAINT un UNIQUE (name, mood);
--- part: unique gone
ALTER TABLE public.users DROP CONSTRAINT users_email_key;
--- part: key gone
ALTER TABLE public.users DROP CONSTRAINT users_pkey CASCADE;
--- part: key comes
ALTER TABLE app.fk_ev ADD PRIMARY KEY (id);
--- part: key of partitioned gone
ALTER TABLE app.ev DROP CONSTRAINT ev_pkey CASCADE;
--- part: foreign key gone
ALTER TABLE public."Odd Table" DROP CONSTRAINT "Odd Table_user_id_fkey";
--- part: foreign key otherwise
ALTER TABLE public."Odd Table" DROP CONSTRAINT "Odd Table_user_id_fkey";
ALTER TABLE public."Odd Table" ADD CONSTRAINT "Odd Table_user_id_fkey" FOREIGN KEY (user_id) REFERENCES public.users ON DELETE SET NULL;
--- part: foreign key deferrable
ALTER TABLE public."Odd Table" ALTER CONSTRAINT "Odd Table_user_id_fkey" DEFERRABLE INITIALLY DEFERRED;
--- part: exclusion gone
ALTER TABLE app.uses_f DROP CONSTRAINT uses_f_box_excl;
--- part: index
CREATE INDEX ni ON public.users (mood, name);
--- part: unique index
CREATE UNIQUE INDEX ni ON public.users (lower(name)) WHERE n > 3;
--- part: index gone
DROP INDEX public.part_i;
--- part: index otherwise
DROP INDEX public.part_i;
CREATE INDEX part_i ON public.users (n);
--- part: index of partitioned
CREATE INDEX ON app.ev (u);
--- part: index of partitioned gone
DROP INDEX app.ev_v;
--- part: index of mview
CREATE INDEX ON app.mv (lower(name));
DROP INDEX app.mvi;
--- part: trigger
CREATE TRIGGER nt AFTER DELETE ON public.users FOR EACH STATEMENT EXECUTE FUNCTION app.tf();
--- part: trigger with function
CREATE FUNCTION public.ntf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER nt AFTER DELETE ON public.users FOR EACH ROW EXECUTE FUNCTION public.ntf();
--- part: trigger gone
DROP TRIGGER t1 ON public.users;
--- part: trigger otherwise
CREATE OR REPLACE TRIGGER t1 BEFORE INSERT ON public.users FOR EACH ROW EXECUTE FUNCTION app.tf();
--- part: trigger enabled
ALTER TABLE public.users ENABLE TRIGGER t1;
--- part: trigger disabled
ALTER TABLE public.users DISABLE TRIGGER ct;
--- part: trigger on partitioned
CREATE TRIGGER pt2 AFTER INSERT ON app.ev FOR EACH ROW EXECUTE FUNCTION app.tf();
DROP TRIGGER pt ON app.ev;
--- part: rule
CREATE RULE r2 AS ON UPDATE TO app.ul DO ALSO NOTIFY x;
--- part: rule gone
DROP RULE r1 ON public."Odd Table";
--- part: rule enabled
ALTER TABLE public."Odd Table" ENABLE RULE r1;
--- part: statistics
CREATE STATISTICS app.ns (ndistinct) ON name, n FROM public.users;
--- part: statistics gone
DROP STATISTICS app.st;
--- part: statistics target
ALTER STATISTICS app.st SET STATISTICS 10;
--- security: policy
CREATE POLICY np ON public.users FOR SELECT USING (true);
--- security: policy gone
DROP POLICY own ON public.users;
--- security: policy otherwise
ALTER POLICY own ON public.users TO PUBLIC USING (true);
--- security: policy with function
CREATE FUNCTION public.is_me(x uuid) RETURNS bool LANGUAGE sql AS 'SELECT true';
ALTER POLICY own ON public.users USING (public.is_me(id));
--- security: row security off
ALTER TABLE public.users DISABLE ROW LEVEL SECURITY;
--- security: row security on
ALTER TABLE public."Odd Table" ENABLE ROW LEVEL SECURITY;
CREATE POLICY o ON public."Odd Table" USING (true);
--- security: not forced
ALTER TABLE public.users NO FORCE ROW LEVEL SECURITY;
--- security: grant
GRANT SELECT, INSERT ON public.users TO def_anon;
GRANT ALL ON app.ul TO PUBLIC;
--- security: grant on all
GRANT ALL ON ALL TABLES IN SCHEMA app TO def_member WITH GRANT OPTION;
--- security: revoke
REVOKE ALL ON public."Odd Table" FROM "Def Role";
REVOKE SELECT ON public.moods FROM def_anon;
--- security: revoke from owner
REVOKE TRUNCATE ON public.users FROM CURRENT_USER;
--- security: grant option off
REVOKE GRANT OPTION FOR INSERT ON public.users FROM def_member;
--- security: column rights
GRANT SELECT (email) ON public.users TO def_member;
REVOKE SELECT (name) ON public.users FROM def_anon;
--- security: table over column rights
GRANT SELECT ON public.users TO def_anon;
--- security: function rights
GRANT EXECUTE ON FUNCTION app.atomic(int) TO def_anon;
REVOKE EXECUTE ON FUNCTION app.slug(text) FROM PUBLIC;
--- security: schema rights
GRANT CREATE ON SCHEMA app TO def_member;
REVOKE USAGE ON SCHEMA app FROM def_anon;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
--- security: sequence rights
REVOKE ALL ON SEQUENCE public.users_n_seq FROM def_anon;
GRANT ALL ON app.s1 TO def_member;
--- security: type rights
GRANT USAGE ON TYPE app.pair TO PUBLIC;
REVOKE USAGE ON TYPE app.mood FROM PUBLIC;
--- security: default privileges
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO def_member;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM def_anon;
--- security: default privileges otherwise
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT ON TABLES TO def_anon;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
--- security: owner
ALTER TABLE public.users OWNER TO def_owner;
--- security: owner of more
ALTER TABLE public."Odd Table" OWNER TO CURRENT_USER;
ALTER VIEW public.moods OWNER TO def_owner;
ALTER FUNCTION app.atomic(int) OWNER TO CURRENT_USER;
ALTER TYPE app.mood OWNER TO def_owner;
ALTER SCHEMA app OWNER TO CURRENT_USER;
ALTER SEQUENCE app.s1 OWNER TO def_owner;
--- security: comment
COMMENT ON TABLE public.users IS 'new';
COMMENT ON COLUMN public.users.low IS NULL;
COMMENT ON SCHEMA app IS 'other';
--- security: comments
COMMENT ON FUNCTION app.slug(text) IS 'f';
COMMENT ON TYPE app.mood IS 't';
COMMENT ON VIEW public.moods IS 'v';
COMMENT ON CONSTRAINT users_pkey ON public.users IS NULL;
COMMENT ON TRIGGER t1 ON public.users IS 'tr';
COMMENT ON INDEX public.part_i IS 'i';
--- code: function
CREATE FUNCTION public.nf(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1';
--- code: function replaced
CREATE OR REPLACE FUNCTION app.slug(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(t) $$;
--- code: function attributes
ALTER FUNCTION app.slug(text) SECURITY DEFINER SET search_path = '' COST 200;
ALTER FUNCTION app.tf() SECURITY INVOKER RESET ALL;
--- code: function with a new default
CREATE OR REPLACE FUNCTION app.slug(t text DEFAULT 'q') RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(t) $$;
--- code: function with another result
DROP FUNCTION app.later();
CREATE FUNCTION app.later() RETURNS int LANGUAGE sql AS 'SELECT 1';
--- code: function with other columns
DROP FUNCTION app.variadic_f(int[]);
CREATE FUNCTION app.variadic_f(VARIADIC b int[]) RETURNS TABLE (z int) LANGUAGE sql AS 'SELECT 1';
--- code: function gone
DROP FUNCTION app.later();
--- code: function gone with trigger
DROP FUNCTION app.tf() CASCADE;
--- code: overload
CREATE FUNCTION app.slug(t text, n int) RETURNS text LANGUAGE sql AS 'SELECT t';
--- code: procedure
DROP PROCEDURE app.doit(int);
CREATE PROCEDURE app.doit(a text) LANGUAGE plpgsql AS 'BEGIN END';
--- code: aggregate
CREATE AGGREGATE app.total2(bigint) (sfunc = int8pl, stype = bigint);
DROP AGGREGATE app.total(int);
--- code: atomic
CREATE OR REPLACE FUNCTION app.atomic(i int DEFAULT 3) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT i + 2; END;
--- code: view
CREATE VIEW public.nv AS SELECT id FROM public.users;
--- code: view replaced
CREATE OR REPLACE VIEW public.upd AS SELECT id, name FROM public.users WHERE n > 4;
--- code: view with more columns
CREATE OR REPLACE VIEW public.moods2 AS SELECT mood, n, n + 1 AS m FROM public.moods;
--- code: view with other columns
DROP VIEW public.moods2;
DROP VIEW public.from_f;
DROP FUNCTION public.of_view();
DROP VIEW public.moods;
CREATE VIEW public.moods AS SELECT count(*) AS n, mood FROM public.users GROUP BY mood;
--- code: view with new table
CREATE TABLE public.nt (id uuid, name varchar(20) COLLATE "C");
CREATE OR REPLACE VIEW public.upd AS SELECT id, name FROM public.nt;
--- code: view with new column
ALTER TABLE public.users ADD COLUMN x int;
CREATE OR REPLACE VIEW public.upd AS SELECT id, name, x FROM public.users;
--- code: view with new function
CREATE FUNCTION public.nf(t text) RETURNS varchar LANGUAGE sql AS 'SELECT t';
CREATE OR REPLACE VIEW public.moods AS SELECT mood, count(public.nf(name)) AS n FROM public.users GROUP BY 1;
--- code: view gone
DROP VIEW public.upd;
--- code: views gone
DROP VIEW public.moods CASCADE;
--- code: view options
ALTER VIEW public.moods SET (security_invoker=false, security_barrier=true);
ALTER VIEW public.upd RESET (check_option);
--- code: view default
ALTER VIEW public.upd ALTER name DROP DEFAULT;
--- code: mview
CREATE MATERIALIZED VIEW app.nmv AS SELECT 1 AS a;
--- code: mview gone
DROP MATERIALIZED VIEW app.mv CASCADE;
--- code: mview otherwise
DROP MATERIALIZED VIEW app.mv CASCADE;
CREATE MATERIALIZED VIEW app.mv AS SELECT name, n FROM public.users;
--- code: sequence
CREATE SEQUENCE app.ns OWNED BY app.base.a;
--- code: sequence options
ALTER SEQUENCE app.s1 INCREMENT -2 CACHE 1 NO CYCLE;
--- code: sequence gone
DROP SEQUENCE app.s1;
--- code: sequence owned
ALTER SEQUENCE app.s1 OWNED BY app.base.a;
--- code: sequence not owned
ALTER SEQUENCE public."Odd Table_id_seq" OWNED BY NONE;
--- code: event trigger
DROP EVENT TRIGGER et;
CREATE EVENT TRIGGER et2 ON sql_drop EXECUTE FUNCTION app.etf();
--- code: event trigger on
ALTER EVENT TRIGGER et ENABLE;
--- code: publication
ALTER PUBLICATION pub ADD TABLE app.base;
ALTER PUBLICATION pub SET (publish='insert');
--- code: publication gone
DROP PUBLICATION pub;
CREATE PUBLICATION pub2 FOR ALL TABLES;
--- type: enum of shirts
ALTER TYPE app.size ADD VALUE 'xl';
GRANT USAGE ON TYPE app.size TO def_member;
--- type: enum
CREATE TYPE public.ne AS ENUM ('a');
CREATE TABLE public.n (e public.ne DEFAULT 'a');
--- type: enum value
ALTER TYPE app.mood ADD VALUE 'middle' BEFORE 'high';
--- type: enum values
ALTER TYPE app.mood ADD VALUE 'first' BEFORE 'low';
ALTER TYPE app.mood ADD VALUE 'last';
--- type: enum value renamed
ALTER TYPE app.mood RENAME VALUE 'high' TO 'top';
--- type: column to new enum
CREATE TYPE public.ne AS ENUM ('a');
ALTER TABLE app.fk_ev ADD COLUMN e public.ne;
ALTER TABLE app.base ALTER b DROP DEFAULT, ALTER b TYPE public.ne USING 'a'::public.ne;
--- type: enum gone
DROP TYPE app.span CASCADE;
--- type: domain
CREATE DOMAIN public.nd AS int CHECK (VALUE > 0);
ALTER TABLE app.fk_ev ADD COLUMN d public.nd;
--- type: domain check
ALTER DOMAIN app.email DROP CONSTRAINT ok;
ALTER DOMAIN app.email ADD CONSTRAINT ok2 CHECK (VALUE <> '');
--- type: domain default
ALTER DOMAIN app.email DROP DEFAULT;
ALTER DOMAIN app.email DROP NOT NULL;
--- type: composite attribute gone
ALTER TABLE public."Odd Table" DROP COLUMN p;
ALTER TYPE app.pair DROP ATTRIBUTE m;
--- type: range
CREATE TYPE public.nr AS RANGE (subtype = int4);
--- type: extension
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA app;
--- rename: table
ALTER TABLE public.users RENAME TO people;
--- rename: column
ALTER TABLE public.users RENAME COLUMN name TO title;
--- rename: column in partitioned
ALTER TABLE app.ev RENAME COLUMN v TO value;
--- rename: column in parent
ALTER TABLE app.base RENAME COLUMN b TO bb;
--- rename: view
ALTER VIEW public.moods RENAME TO feelings;
--- rename: function
ALTER FUNCTION app.slug(text) RENAME TO slugged;
--- rename: type
ALTER TYPE app.mood RENAME TO feeling;
--- rename: schema
ALTER SCHEMA app RENAME TO application;
--- rename: sequence
ALTER SEQUENCE app.s1 RENAME TO s2;
--- rename: index
ALTER INDEX public.part_i RENAME TO whole_i;
--- rename: constraint
ALTER TABLE public.users RENAME CONSTRAINT nolong TO notlong;
--- rename: key
ALTER TABLE public.users RENAME CONSTRAINT users_pkey TO people_pkey;
--- rename: trigger
ALTER TRIGGER t1 ON public.users RENAME TO t2;
--- rename: policy
ALTER POLICY own ON public.users RENAME TO mine;
--- rename: rule
ALTER RULE r1 ON public."Odd Table" RENAME TO r9;
--- rename: table to another schema
ALTER TABLE public.users SET SCHEMA app;
--- rename: function to another schema
ALTER FUNCTION app.slug(text) SET SCHEMA public;
--- rename: type to another schema
ALTER TYPE app.mood SET SCHEMA public;
--- rename: table and column
ALTER TABLE public.users RENAME TO people;
ALTER TABLE public.people RENAME COLUMN name TO title;
ALTER TABLE public.people ADD COLUMN name text;
--- rename: swapped tables
ALTER TABLE app.base RENAME TO b1;
ALTER TABLE app.ul RENAME TO base;
ALTER TABLE app.b1 RENAME TO ul;
--- rename: table put aside
ALTER TABLE app.fk_ev RENAME TO fk_old;
CREATE TABLE app.fk_ev (id int, extra text);
--- rename: column put aside
ALTER TABLE app.fk_ev RENAME COLUMN id TO id_old;
ALTER TABLE app.fk_ev ADD COLUMN id text;
--- rename: table renamed and changed
ALTER TABLE app.base RENAME TO bases;
ALTER TABLE app.bases ADD COLUMN x int, ADD CHECK (x > 0), ALTER late SET DEFAULT 5;
CREATE VIEW app.vb AS SELECT x FROM app.bases;
--- code: operator and cast
CREATE FUNCTION app.near(a numeric, b numeric) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT a = b';
CREATE OPERATOR app.=~= (leftarg = numeric, rightarg = numeric, function = app.near);
CREATE FUNCTION app.sized(t text) RETURNS app.size LANGUAGE sql IMMUTABLE AS 'SELECT t::app.size';
CREATE CAST (date AS app.size) WITH INOUT;
CREATE COLLATION app.c FROM "C";
CREATE TEXT SEARCH CONFIGURATION app.simple (COPY = simple);
--- code: trigger with its function on a table of somebody else
CREATE FUNCTION app.seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER seen AFTER INSERT ON public."Odd Table" FOR EACH ROW EXECUTE FUNCTION app.seen();
--- column: collation made with it
CREATE COLLATION app.plain FROM "C";
ALTER TABLE app.fk_ev ADD COLUMN c text COLLATE app.plain;
ALTER TABLE app.uses_f ADD COLUMN c text;
ALTER TABLE public."Odd Table" ALTER "user" TYPE text COLLATE app.plain;
--- search: another mapping
ALTER TEXT SEARCH CONFIGURATION app.searched ALTER MAPPING FOR word WITH pg_catalog.simple;
ALTER TEXT SEARCH CONFIGURATION app.searched DROP MAPPING FOR email;
ALTER TEXT SEARCH CONFIGURATION app.searched ADD MAPPING FOR url WITH app.short;
--- search: another option of a dictionary
ALTER TEXT SEARCH DICTIONARY app.short (accept = true);
--- search: dropped with all that uses it
DROP TEXT SEARCH CONFIGURATION app.searched CASCADE;
DROP TEXT SEARCH DICTIONARY app.short, app.stems;
--- rename: text search
ALTER TEXT SEARCH CONFIGURATION app.searched RENAME TO looked_for;
ALTER TEXT SEARCH DICTIONARY app.stems SET SCHEMA public;
--- rename: collation
ALTER COLLATION app.letters RENAME TO bytes;
ALTER COLLATION app.bytes SET SCHEMA public;
--- column: another collation
ALTER TABLE app.notes ALTER words TYPE text COLLATE "C";
--- code: operator with what uses it dropped
DROP OPERATOR app.=== (int, int) CASCADE;
DROP OPERATOR app.@@@ (NONE, int);
--- code: operator's estimator
ALTER OPERATOR app.!== (int, int) SET (restrict = neqsel);
ALTER OPERATOR app.@@@ (NONE, int) OWNER TO def_owner;
--- code: operators made of each other
CREATE OPERATOR app.<<> (leftarg = text, rightarg = text, function = textlike, commutator = OPERATOR(app.<>>));
CREATE OPERATOR app.<>> (leftarg = text, rightarg = text, function = textlike, commutator = OPERATOR(app.<<>));
--- code: cast dropped and another made
DROP CAST (int AS app.size);
CREATE CAST (bigint AS app.size) WITH INOUT AS ASSIGNMENT;
--- column: dropped in a parent whose child then leaves it
ALTER TABLE app.base DROP COLUMN late;
ALTER TABLE app.child NO INHERIT app.base;
--- part: dropped column of a parent, and a partition that then leaves it
ALTER TABLE app.ev DROP COLUMN u, DROP COLUMN v CASCADE;
ALTER TABLE app.ev DETACH PARTITION app.ev_1;
ALTER TABLE app.ev DETACH PARTITION app.ev_d;

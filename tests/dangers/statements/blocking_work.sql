-- A strong lock on a table while that table is read, checked, indexed or written anew.
--@ blocking
CREATE INDEX ON public.entries (mood);
--@ blocking
CREATE UNIQUE INDEX entry_key ON public.entries (user_id, id);
--@ blocking
CREATE INDEX IF NOT EXISTS entries_kind ON public.entries (kind) WHERE kind IS NOT NULL;
--@ blocking
CREATE INDEX ON public.entries USING gin (tags);
--@ blocking
CREATE INDEX ON public.events (id);
--@ blocking
DO $$ BEGIN CREATE INDEX entries_kind ON public.entries (kind); END $$;
--@ blocking
DO $$ BEGIN EXECUTE 'CREATE INDEX entries_kind ON public.entries (kind)'; END $$;
--@ blocking
ALTER TABLE public.entries ALTER COLUMN content SET NOT NULL;
--@ blocking
ALTER TABLE public.entries ADD CONSTRAINT mood_range CHECK (mood BETWEEN 1 AND 10);
--@ blocking
ALTER TABLE public.plain_links ADD CONSTRAINT one_link UNIQUE (entry_id);
--@ blocking
ALTER TABLE public.plain_links ADD FOREIGN KEY (entry_id) REFERENCES public.entries (id);
--@ blocking
ALTER TABLE public.plain_links ADD CONSTRAINT to_user FOREIGN KEY (user_id) REFERENCES public.users (id) ON DELETE CASCADE;
--@ blocking
ALTER TABLE public.entries ADD COLUMN token uuid DEFAULT gen_random_uuid();
--@ blocking
ALTER TABLE public.entries ADD COLUMN rank float DEFAULT random();
--@ blocking
ALTER TABLE public.entries ADD COLUMN seen timestamptz DEFAULT clock_timestamp();
--@ blocking
ALTER TABLE public.entries ADD COLUMN number bigserial;
--@ blocking
ALTER TABLE public.entries ADD COLUMN words int GENERATED ALWAYS AS (length(content)) STORED;
--@ blocking
ALTER TABLE public.plain_links ADD COLUMN n int GENERATED ALWAYS AS IDENTITY;
--@ blocking
ALTER TABLE public.plain_links ALTER COLUMN id TYPE bigint;
--@ blocking
ALTER TABLE public.users ALTER COLUMN name TYPE varchar(40);
--@ blocking
ALTER TABLE public.users ALTER COLUMN balance TYPE numeric(12,4);
--@ blocking
ALTER TABLE public.users ALTER COLUMN created_at DROP DEFAULT, ALTER COLUMN created_at TYPE timestamp USING created_at AT TIME ZONE 'UTC';
--@ blocking
ALTER TABLE public.users ALTER COLUMN tier DROP DEFAULT, ALTER COLUMN tier TYPE text;
--@ blocking
ALTER TABLE public.plain_links ALTER COLUMN user_id TYPE text;
--@ blocking
CLUSTER public.entries USING entries_user;
--@ blocking apart
VACUUM FULL public.entries;
--@ blocking apart
VACUUM (FULL, ANALYZE) public.plain_links;
--@ blocking
REINDEX TABLE public.entries;
--@ blocking
REINDEX INDEX public.entries_user;
--@ blocking
REFRESH MATERIALIZED VIEW reports.daily;
--@ blocking
ALTER TABLE public.plain_links SET UNLOGGED;
--@ blocking
ALTER TABLE public.logs ADD CONSTRAINT id_known CHECK (id IS NOT NULL);
--@ blocking
ALTER TABLE public.events ADD CONSTRAINT what_known CHECK (what IS NOT NULL);
--@ blocking
ALTER TABLE public.events ALTER COLUMN what SET NOT NULL;
--@ blocking
CREATE TABLE public.events_2030 PARTITION OF public.events FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
--@ blocking
ALTER TABLE public.plain_links ADD EXCLUDE USING btree (id WITH =);
--@ blocking
ALTER TABLE public.comments ALTER COLUMN entry_id SET NOT NULL;
--@ blocking
LOCK TABLE public.entries IN SHARE MODE;
SELECT count(*) FROM public.entries;
--@ blocking
ALTER TABLE public.plain_links DROP CONSTRAINT plain_links_pkey, ADD PRIMARY KEY (id, entry_id);
--@ blocking
ALTER TABLE public.entries ALTER COLUMN score TYPE numeric(14,4), ALTER COLUMN kind SET DEFAULT 'x';
--@ blocking
DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['entries', 'plain_links'] LOOP EXECUTE format('ALTER TABLE public.%I ADD COLUMN uid uuid DEFAULT gen_random_uuid()', t); END LOOP; END $$;
--@ blocking
CREATE UNIQUE INDEX one_title ON public.announcements (id, title);
--@ blocking
ALTER TABLE public.comments ADD CONSTRAINT body_length CHECK (length(body) < 5000), ALTER COLUMN body SET DEFAULT '';

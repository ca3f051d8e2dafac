--- index-kinds: varchar, deployed
CREATE INDEX ON journal_entries (created_at);
CREATE INDEX entries_hash ON journal_entries USING hash (user_id);
CREATE INDEX entries_brin ON journal_entries USING brin (created_at) WITH (pages_per_range = 16);
CREATE INDEX entries_tags ON journal_entries USING gin (tags);
--- index-by-utc-day: varchar, half
CREATE INDEX IF NOT EXISTS entries_by_day ON journal_entries (((created_at AT TIME ZONE 'UTC')::date));
--- index-by-expression: uuid
CREATE INDEX ON users (lower(email));
CREATE UNIQUE INDEX users_lower_email ON users (lower(email));
--- unique-lower-email: varchar
CREATE UNIQUE INDEX users_email_ci ON users (lower(email)) WHERE is_active;
--- index-include-and-nulls: deployed
CREATE INDEX ON ai_usage_logs (user_id, "timestamp" DESC NULLS LAST) INCLUDE (cost_usd) WHERE success;
CREATE UNIQUE INDEX ON daily_usage_quotas (user_id, usage_date) NULLS NOT DISTINCT;
--- drop-and-make-index: varchar
DROP INDEX IF EXISTS journal_entries_user_created;
CREATE INDEX journal_entries_user_created ON journal_entries (user_id) INCLUDE (created_at);
--- reindex-table: varchar, uuid
REINDEX TABLE journal_entries;
REINDEX INDEX checkins_user_id_idx;
--- text-search-index: uuid
ALTER TABLE journal_entries ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('english', content)) STORED;
CREATE INDEX ON journal_entries USING gin (search);
SELECT count(*) FROM journal_entries WHERE search @@ plainto_tsquery('english', 'days');
--- trigram-index: varchar
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA extensions;
CREATE INDEX ON journal_entries USING gin (content extensions.gin_trgm_ops);
--- check-that-holds: varchar, uuid, empty
ALTER TABLE journal_entries ADD CONSTRAINT mood_range CHECK (mood_level BETWEEN 1 AND 10);
--- check-not-valid-then-validate: varchar
ALTER TABLE journal_entries ADD CONSTRAINT stress_range CHECK (stress_level BETWEEN 1 AND 10) NOT VALID;
ALTER TABLE journal_entries VALIDATE CONSTRAINT stress_range;
--- check-not-valid-that-does-not-hold: varchar
ALTER TABLE journal_entries ADD CONSTRAINT good_mood CHECK (mood_level > 8) NOT VALID;
--- check-on-length-of-text: varchar, uuid
ALTER TABLE journal_entries ADD CHECK (char_length(content) BETWEEN 10 AND 2000);
ALTER TABLE users ADD CHECK (length(email) BETWEEN 5 AND 22);
--- foreign-key-that-holds: uuid
ALTER TABLE ai_analyses DROP CONSTRAINT ai_analyses_journal_entry_id_fkey,
  ADD CONSTRAINT analyses_of_entry FOREIGN KEY (journal_entry_id) REFERENCES journal_entries ON DELETE SET NULL ON UPDATE CASCADE;
--- foreign-key-not-valid: varchar
CREATE TABLE persons (id varchar(255) PRIMARY KEY);
ALTER TABLE journal_entries ADD CONSTRAINT entries_person FOREIGN KEY (user_id) REFERENCES persons (id) NOT VALID;
INSERT INTO persons SELECT DISTINCT user_id FROM journal_entries;
ALTER TABLE journal_entries VALIDATE CONSTRAINT entries_person;
--- foreign-key-on-empty: empty
ALTER TABLE users ADD COLUMN handle varchar(255) UNIQUE;
ALTER TABLE journal_entries ADD FOREIGN KEY (user_id) REFERENCES users (handle);
--- unique-constraint-using-index: varchar
CREATE UNIQUE INDEX analyses_one_a_entry ON ai_analyses (journal_entry_id);
ALTER TABLE ai_analyses ADD CONSTRAINT analyses_one_a_entry UNIQUE USING INDEX analyses_one_a_entry;
--- primary-key-replaced: plain
ALTER TABLE shop.lines DROP CONSTRAINT lines_pkey, ADD COLUMN id bigserial, ADD PRIMARY KEY (id), ADD UNIQUE (order_id, line_no);
--- exclusion-constraint: plain
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE shop.bookings (room int, during tstzrange, EXCLUDE USING gist (room WITH =, during WITH &&));
INSERT INTO shop.bookings VALUES (1, '[2026-01-01, 2026-01-02)'), (1, '[2026-01-02, 2026-01-03)'), (2, '[2026-01-01, 2026-01-05)');
--- deferrable-key-swapped: plain
ALTER TABLE shop.assets DROP CONSTRAINT assets_pkey, ADD CONSTRAINT assets_pkey PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED;
INSERT INTO shop.assets VALUES (50, 'a'), (51, 'b');
UPDATE shop.assets SET id = CASE id WHEN 50 THEN 51 WHEN 51 THEN 50 ELSE id END;
DELETE FROM shop.assets WHERE id IN (50, 51);
--- deferred-parent-after-child: plain
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO shop.lines (order_id, line_no, sku, quantity, price) VALUES (900, 1, 'X', 1, 1);
INSERT INTO shop.orders (id, customer_id, placed_on) VALUES (900, 1, '2026-01-01');
--- constraint-renamed: varchar
ALTER TABLE checkins RENAME CONSTRAINT checkins_mood_check TO mood_is_one_to_ten;
ALTER TABLE checkins ALTER CONSTRAINT checkins_user_id_fkey DEFERRABLE INITIALLY DEFERRED;
--- drop-constraints-if-exist: uuid, deployed
ALTER TABLE checkins DROP CONSTRAINT IF EXISTS checkins_mood_check, DROP CONSTRAINT IF EXISTS never_was;
--- guarded-constraint: varchar, half, deployed
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'energy_range' AND conrelid = 'journal_entries'::regclass) THEN
    ALTER TABLE journal_entries ADD CONSTRAINT energy_range CHECK (energy_level BETWEEN 1 AND 10);
  END IF;
END
$$;
--- distinct-domains-of-mail: varchar, uuid
ALTER TABLE users ADD COLUMN mail_domain text GENERATED ALWAYS AS (split_part(email, '@', 2)) STORED;
CREATE INDEX ON users (mail_domain);
--- mail-has-an-at: varchar, deployed [unknowable]
ALTER TABLE users ADD CONSTRAINT mail_has_an_at CHECK (email ~ '^[^@]+@[^@]+\.[a-z]+$');
--- partial-index-on-enum: deployed
CREATE INDEX ON ai_feedback (created_at) WHERE feedback_type = 'report';
CREATE INDEX ON ai_feedback ((feedback_text IS NULL));
--- immutable-wrapper: varchar
CREATE FUNCTION utc_day(at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (at AT TIME ZONE 'UTC')::date;
CREATE INDEX entries_utc_day ON journal_entries (utc_day(created_at), user_id);

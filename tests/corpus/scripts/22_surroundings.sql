--- own-database-named: varchar, plain
ALTER DATABASE "{database}" SET work_mem TO '8MB';
COMMENT ON DATABASE "{database}" IS 'production of the app';
GRANT CONNECT ON DATABASE "{database}" TO authenticated;
--- own-database-asked-for: uuid
DO $$ BEGIN IF current_database() <> '{database}' THEN RAISE EXCEPTION 'wrong database: %', current_database(); END IF; END $$;
--- time-zone-of-the-server: varchar
CREATE TABLE moments (at timestamptz PRIMARY KEY);
INSERT INTO moments VALUES ('2026-01-01 00:00'), ('2026-01-01 00:00+00');
--- date-style-of-the-server: uuid
SELECT date '13/12/2026';
--- text-search-of-the-server: varchar
DO $$ BEGIN IF to_tsvector('die Tage der Arbeit') @@ to_tsquery('simple', 'die') THEN RAISE EXCEPTION 'not German'; END IF; END $$;
--- sequence-before-its-first-value: plain
DO $$ BEGIN
  IF nextval('shop.invoice_numbers') <> 7000 THEN RAISE EXCEPTION 'stands elsewhere'; END IF;
  IF nextval('shop.untouched') <> 5 THEN RAISE EXCEPTION 'was touched'; END IF;
  PERFORM setval('shop.invoice_numbers', 7000, false), setval('shop.untouched', 5, false);
END $$;
--- materialized-view-read: plain
DO $$ BEGIN IF (SELECT total FROM shop.totals_of_totals) <> 7575 THEN RAISE EXCEPTION '%', (SELECT total FROM shop.totals_of_totals); END IF; END $$;
--- materialized-view-never-filled: plain !other
SELECT count(*) FROM shop.totals;
SELECT count(*) FROM shop.never_filled;
--- quotas-are-not-doubled: deployed
DO $$ BEGIN ASSERT (SELECT sum(requests) FROM daily_usage_quotas) = 150, 'quotas'; END $$;
--- broken-check-left-as-it-is: varchar, deployed
INSERT INTO ai_analyses (journal_entry_id, model) SELECT id, 'gpt-4o' FROM journal_entries LIMIT 1;
DO $$ BEGIN IF (SELECT count(*) FROM ai_analyses WHERE model = 'gpt-3.5-turbo') <> 140 THEN RAISE EXCEPTION 'rows are missing'; END IF; END $$;
--- broken-check-validated: uuid, half !check-violation
SELECT 1;
ALTER TABLE ai_analyses VALIDATE CONSTRAINT newer_model;
--- broken-check-met-by-update: varchar !check-violation
UPDATE ai_analyses SET summary = 'fine';
--- letters-of-the-locale: plain
CREATE UNIQUE INDEX ON shop.contacts (lower(umlaut));
--- order-of-the-locale: plain
DO $$ BEGIN IF (SELECT min(name) FROM shop.contacts) <> 'Bea' THEN RAISE EXCEPTION 'first is %', (SELECT min(name) FROM shop.contacts); END IF; END $$;
--- mail-domain-holds: plain
INSERT INTO shop.contacts VALUES ('new.one@mail.org', 'New', 'n') ON CONFLICT (mail) DO NOTHING;
ALTER DOMAIN shop.mail ADD CONSTRAINT short CHECK (length(VALUE) < 20);
--- large-object-kept: plain [unknowable]
SELECT lo_get(424242);
--- limit-of-the-database: plain
DO $$ BEGIN IF current_setting('statement_timeout') <> '2s' THEN RAISE EXCEPTION 'limit %', current_setting('statement_timeout'); END IF; END $$;
--- limit-of-the-database-met: plain !timeout
SELECT pg_sleep(3);
--- role-that-may-not-be-taken: varchar !permission
SET ROLE corpus_idle;
--- role-whose-rights-are-not-inherited: uuid !permission
DO $$ BEGIN IF NOT pg_has_role('corpus_idle', 'USAGE') THEN RAISE insufficient_privilege; END IF; END $$;
--- settings-of-the-role: varchar, uuid
DO $$ BEGIN IF current_setting('search_path') <> '"$user", public, extensions' THEN RAISE EXCEPTION '%', current_setting('search_path'); END IF; END $$;
--- api-role-limits: varchar
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon' AND 'statement_timeout=3s' = ANY (rolconfig)) THEN RAISE EXCEPTION 'no limit'; END IF; END $$;
ALTER ROLE anon SET statement_timeout = '3s';
--- own-commit-fails: varchar !missing-row
BEGIN;
ALTER TABLE checkins ALTER CONSTRAINT checkins_user_id_fkey DEFERRABLE INITIALLY DEFERRED;
INSERT INTO checkins (user_id, mood) VALUES ('99999999-0000-4000-8000-000000000000', 5);

COMMIT;
SELECT 'after';
--- own-commit-before-the-last-fails: plain !missing-row
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO shop.lines (order_id, line_no, sku, quantity, price) VALUES (5000, 1, 'X', 1, 1);
COMMIT;
--- own-commit-after-enum-value: deployed !not-in-transaction [left-out]
BEGIN;
ALTER TYPE feedback_kind ADD VALUE IF NOT EXISTS 'praise';
COMMIT;
BEGIN;
INSERT INTO ai_feedback (user_id, feedback_type) SELECT id, 'praise' FROM users LIMIT 1;
COMMIT;

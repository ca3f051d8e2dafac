--- missing-table-selected: varchar, empty !missing-relation
SELECT 1;
SELECT count(*)
FROM journal_entriez;
--- missing-table-altered: varchar, uuid !missing-relation
CREATE TABLE IF NOT EXISTS fine (id int);
ALTER TABLE ai_usage_logs
  ADD COLUMN cost_usd numeric;
SELECT 2;
--- missing-table-referenced: varchar !missing-relation
CREATE TABLE ai_feedback (
  id uuid PRIMARY KEY,
  ai_usage_log_id uuid REFERENCES ai_usage_logs (id)
);
--- missing-schema: uuid !missing-schema
CREATE TABLE analytics.daily (day date);
--- missing-schema-of-function: plain !missing-schema
SELECT nowhere.f(1);
--- missing-view-dropped: varchar !missing-relation
DROP VIEW beta_daily_metrics;
--- missing-index-dropped: varchar !missing-object
DROP INDEX idx_of_nobody;
--- missing-sequence: uuid !missing-relation
SELECT nextval('users_id_seq');
--- missing-table-in-do: varchar !missing-relation
DO $$
DECLARE n int;
BEGIN
  SELECT count(*) INTO n FROM user_tier_limits;
  RAISE NOTICE '% tiers', n;
END $$;
DO $$ BEGIN RAISE NOTICE 'Deployed successfully!'; END $$;
--- missing-table-in-dynamic-sql: uuid !missing-relation
DO $$ BEGIN
  FOR i IN 1..2 LOOP
    EXECUTE format('UPDATE %I SET x = 1', 'table_' || i);
  END LOOP;
END $$;
--- missing-table-in-sql-function: varchar !missing-relation
CREATE FUNCTION tiers() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM user_tier_limits $$;
--- missing-table-in-begin-atomic: empty !missing-relation
CREATE FUNCTION tiers() RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
  SELECT 1;
  SELECT count(*) FROM user_tier_limits;
END;
--- missing-only-when-called: varchar !missing-relation
CREATE FUNCTION late() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT count(*) FROM user_tier_limits);
END $$;
SELECT 'still fine';
SELECT late();
--- missing-column-selected: varchar !missing-column
SELECT id, mood_score FROM journal_entries;
--- missing-column-in-view: uuid !missing-column
CREATE OR REPLACE VIEW moods AS
SELECT user_id,
       avg(mood_score) AS mood
FROM journal_entries
GROUP BY user_id;
--- missing-column-in-index: varchar !missing-column
CREATE INDEX IF NOT EXISTS idx_a ON journal_entries (user_id);
CREATE INDEX IF NOT EXISTS idx_b ON journal_entries (entry_date);
--- missing-column-inserted: half !missing-column
INSERT INTO ai_usage_logs (user_id, tokens_used) VALUES ('user_123', 5);
--- missing-column-updated: deployed !missing-column
UPDATE users SET tier = 'beta';
--- missing-column-dropped: uuid !missing-column
ALTER TABLE journal_entries DROP COLUMN ai_summary;
--- missing-column-in-trigger: varchar !missing-column
CREATE FUNCTION bad_touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.changed_at := now(); RETURN NEW; END $$;
CREATE TRIGGER bad BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION bad_touch();
UPDATE users SET name = 'x' WHERE id = '00000000-0000-4000-8000-000000000001';
--- missing-column-in-sign-up: uuid !missing-column
CREATE FUNCTION sign_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.users (id, email, subscription) VALUES (NEW.id, NEW.email, 'free'); RETURN NEW; END $$;
CREATE TRIGGER on_sign_up AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION sign_up();
INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), 'probe@example.com');
--- missing-column-in-policy: varchar !missing-column
ALTER TABLE checkins ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON checkins USING (owner_id = auth.uid());
--- missing-column-commented: plain !missing-column
COMMENT ON COLUMN shop.orders.colour IS 'none';
--- missing-column-of-key: plain !missing-column
ALTER TABLE shop.orders ADD FOREIGN KEY (region) REFERENCES shop.regions_eu (code);
--- missing-conflict-target: varchar !other
INSERT INTO users (email) VALUES ('a@example.com') ON CONFLICT (name) DO NOTHING;
--- missing-function: varchar !missing-function
SELECT get_user_tier_info('user_123');
--- missing-function-in-default: empty !missing-function
CREATE TABLE t (id uuid DEFAULT made_up_uuid());
--- missing-function-of-trigger: uuid !missing-function
CREATE TRIGGER touch BEFORE UPDATE ON checkins FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
--- missing-type: varchar !missing-object
CREATE TABLE t (id int, kind feedback_kind);
--- missing-role: uuid !missing-object
GRANT SELECT ON users TO backend_service;
--- missing-extension: varchar !unsupported
CREATE EXTENSION IF NOT EXISTS pg_net_of_the_future;
--- missing-constraint: varchar !missing-object
ALTER TABLE checkins DROP CONSTRAINT checkins_note_check;
--- missing-trigger: deployed !missing-object
DROP TRIGGER usage_is_kept ON ai_usage_logs;
--- missing-policy: half !missing-object
DROP POLICY "Users can delete own entries" ON journal_entries;
--- missing-policy-altered: deployed !missing-object
ALTER POLICY nobody ON ai_feedback TO anon;
--- missing-enum-value: deployed !bad-value
INSERT INTO ai_feedback (user_id, feedback_type) SELECT id, 'loved_it' FROM users LIMIT 1;
--- missing-collation: plain !missing-object
CREATE INDEX ON shop.customers (label COLLATE "xx_XX");
--- missing-partition: plain !check-violation
INSERT INTO shop.events (at, kind) VALUES ('2027-01-01', 'future');
--- missing-opclass: varchar !missing-object
CREATE INDEX ON journal_entries USING gin (content gin_trgm_ops);
--- dropped-then-used: varchar !missing-relation
DROP VIEW mood_by_user;
CREATE VIEW moods AS SELECT * FROM checkins;
SELECT * FROM mood_by_user;

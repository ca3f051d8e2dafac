--- table-exists: half, deployed !exists-already
CREATE TABLE journal_summaries (id int);
CREATE TABLE ai_usage_logs (id uuid PRIMARY KEY);
--- column-exists: half, deployed !exists-already
ALTER TABLE users
  ADD COLUMN is_premium boolean DEFAULT false;
--- index-exists: varchar, uuid !exists-already
CREATE INDEX journal_entries_user_created ON journal_entries (user_id);
--- policy-exists: half !exists-already
CREATE POLICY "Users can view own entries" ON journal_entries FOR SELECT USING (true);
--- trigger-exists: varchar !exists-already
CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
--- type-exists: deployed !exists-already
CREATE TYPE feedback_kind AS ENUM ('a');
--- function-exists: uuid !exists-already
CREATE FUNCTION entry_count(uuid) RETURNS integer LANGUAGE sql AS 'SELECT 1';
--- schema-exists: plain !exists-already
CREATE SCHEMA shop;
--- role-exists: varchar !exists-already
CREATE ROLE anon NOLOGIN;
--- constraint-exists: varchar !exists-already
ALTER TABLE checkins ADD CONSTRAINT checkins_mood_check CHECK (mood < 20);
--- enum-value-exists: deployed !exists-already
ALTER TYPE feedback_kind ADD VALUE 'report';
--- view-exists: deployed !exists-already
CREATE VIEW beta_daily_metrics AS SELECT 1 AS one;
--- second-statement-repeats-first: empty !exists-already
CREATE TABLE twice (id int);
CREATE TABLE twice (id int);
--- second-primary-key: uuid !other
ALTER TABLE checkins ADD PRIMARY KEY (user_id);
--- view-column-renamed: varchar, uuid !view-columns
CREATE OR REPLACE VIEW mood_by_user AS
SELECT user_id, avg(mood_level)::numeric(4, 2) AS average_mood, count(*) AS entries
FROM journal_entries GROUP BY user_id;
--- view-column-type-changed: deployed, half !view-columns
CREATE OR REPLACE VIEW beta_daily_metrics AS
SELECT "timestamp" AS metric_date, count(*) AS n FROM ai_usage_logs GROUP BY 1;
--- view-column-dropped: varchar !view-columns
CREATE OR REPLACE VIEW mood_by_user AS SELECT user_id FROM journal_entries;
--- return-type-changed: varchar !return-type
CREATE OR REPLACE FUNCTION entry_count(who varchar(255)) RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT count(*) FROM journal_entries WHERE user_id = who $$;
--- return-table-changed: half, deployed !return-type
DO $$ BEGIN RAISE NOTICE 'replacing'; END $$;
CREATE OR REPLACE FUNCTION get_user_tier_info(who varchar) RETURNS TABLE (tier varchar, daily_limit integer, depth integer) LANGUAGE sql AS
$$ SELECT tier_name, daily_ai_limit, context_depth FROM user_tier_limits $$;
CREATE OR REPLACE FUNCTION get_user_tier_info(who uuid) RETURNS TABLE (tier varchar, daily_limit integer, depth integer) LANGUAGE sql AS
$$ SELECT tier_name, daily_ai_limit, context_depth FROM user_tier_limits $$;
--- argument-renamed: uuid !return-type
CREATE OR REPLACE FUNCTION entry_count(owner_id uuid) RETURNS integer LANGUAGE sql STABLE AS 'SELECT 1';
--- argument-default-removed: plain !return-type
CREATE OR REPLACE FUNCTION shop.tax(net numeric, rate numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 1.0';
--- function-becomes-procedure: plain !wrong-kind
CREATE OR REPLACE PROCEDURE shop.tax(net numeric, rate numeric) LANGUAGE sql AS 'SELECT 1';
--- plpgsql-without-return-type: empty !return-type
CREATE FUNCTION nothing_returned() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
--- view-dropped-as-table: varchar !wrong-kind
DROP TABLE IF EXISTS mood_by_user;
--- table-dropped-as-view: uuid !wrong-kind
DROP VIEW IF EXISTS checkins;
--- index-on-view: varchar !wrong-kind
CREATE INDEX ON mood_by_user (user_id);
--- rls-on-view: deployed !wrong-kind
ALTER TABLE beta_daily_metrics ENABLE ROW LEVEL SECURITY;
--- materialized-view-replaced-by-view: plain !wrong-kind
CREATE OR REPLACE VIEW shop.totals AS SELECT 1 AS customer_id;
--- view-refreshed: varchar !wrong-kind
REFRESH MATERIALIZED VIEW mood_by_user;
--- procedure-selected: plain !wrong-kind
SELECT shop.close_order(1);
--- function-called: varchar !wrong-kind
CALL entry_count('user_123');
--- insert-into-grouped-view: varchar !other
INSERT INTO mood_by_user (user_id) VALUES ('x');
--- trigger-function-called: varchar !unsupported
SELECT touch_updated_at();
--- refresh-concurrently-without-index: varchar !other
CREATE MATERIALIZED VIEW m AS SELECT user_id FROM journal_entries;
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
--- column-has-dependents: varchar, uuid !dependents
ALTER TABLE journal_entries DROP COLUMN mood_level;
--- table-has-dependents: varchar, deployed !dependents
DROP TABLE IF EXISTS ai_analyses;
DROP TABLE
  users;
--- type-has-dependents: deployed !dependents
DROP TYPE feedback_kind;
--- function-has-dependents: varchar !dependents
DROP FUNCTION touch_updated_at();
--- constraint-has-dependents: uuid !dependents
ALTER TABLE users DROP CONSTRAINT users_pkey;
--- schema-has-dependents: plain !dependents
DROP SCHEMA shop;
--- index-of-constraint: varchar !dependents
DROP INDEX users_email_key;
--- role-has-dependents: varchar !dependents
DROP ROLE anon;
--- type-of-view-column: varchar !dependents
ALTER TABLE journal_entries ALTER COLUMN mood_level TYPE smallint;
--- type-of-policy-column: half !dependents
DROP VIEW mood_by_user;
ALTER TABLE journal_entries ALTER COLUMN user_id TYPE text;
--- atomic-function-needs-table: empty !dependents
CREATE TABLE counted (id int);
CREATE FUNCTION counts() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM counted; END;
DROP TABLE counted;
--- truncate-referenced: varchar !unsupported
TRUNCATE users;

--- uuid-joined-with-varchar: varchar, half !type-mismatch
CREATE OR REPLACE VIEW beta_user_engagement AS
SELECT u.id, u.email, count(j.id) AS entries
FROM users u
LEFT JOIN journal_entries j ON j.user_id = u.id
GROUP BY u.id, u.email;
--- varchar-compared-with-uid: varchar !type-mismatch
ALTER TABLE journal_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON journal_entries FOR ALL USING (auth.uid() = user_id);
--- uuid-compared-with-text: uuid, deployed !type-mismatch
UPDATE journal_entries SET mood_level = 5 WHERE user_id = 'x'::text;
--- key-of-unlike-types: varchar !type-mismatch
ALTER TABLE journal_entries ADD CONSTRAINT owned FOREIGN KEY (user_id) REFERENCES users (id);
--- varchar-not-castable-to-uuid: varchar !bad-value
DROP VIEW mood_by_user;
ALTER TABLE journal_entries
  ALTER COLUMN user_id TYPE uuid
  USING user_id::uuid;
--- no-cast-without-using: plain !type-mismatch
ALTER TABLE shop.customers ALTER label TYPE integer;
--- default-does-not-fit: deployed !type-mismatch
ALTER TABLE user_tier_limits ALTER summary_access TYPE integer USING summary_access::integer;
--- insert-text-into-integer: varchar !bad-value
INSERT INTO checkins (user_id, mood) SELECT id, 'good' FROM users;
--- insert-typed-text-into-integer: varchar !type-mismatch
INSERT INTO checkins (user_id, mood) SELECT id, name FROM users;
--- function-called-with-other-type: uuid !missing-function
SELECT entry_count('user_123'::varchar);
--- function-result-differs-when-called: half !type-mismatch
CREATE OR REPLACE FUNCTION tier_now() RETURNS TABLE (tier text, since date) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT l.tier_name, now() FROM user_tier_limits l;
END $$;
SELECT * FROM tier_now();
--- sql-function-result-differs: uuid !return-type
CREATE FUNCTION mails() RETURNS SETOF uuid LANGUAGE sql AS $$ SELECT email FROM users $$;
--- case-of-unlike-types: varchar !type-mismatch
SELECT CASE WHEN mood_level > 5 THEN id ELSE mood_level END FROM journal_entries;
--- union-of-unlike-types: varchar !type-mismatch
CREATE VIEW all_ids AS SELECT id FROM users UNION SELECT id FROM checkins;
--- where-is-not-boolean: uuid !type-mismatch
DELETE FROM checkins WHERE mood;
--- coalesce-of-unlike-types: varchar !type-mismatch
UPDATE journal_entries SET user_id = coalesce(user_id, created_at);
--- value-too-long: varchar !bad-value
ALTER TABLE ai_analyses ALTER COLUMN model TYPE varchar(5);
--- value-too-long-inserted: plain !bad-value
INSERT INTO shop.customers (code, label) VALUES ('TOOLONGCODE', 'x');
--- number-out-of-range: varchar !bad-value
ALTER TABLE ai_analyses ALTER score TYPE numeric(3, 3) USING score + 9;
--- integer-out-of-range: uuid !bad-value
UPDATE journal_entries SET mood_level = 2147483647 + mood_level;
--- division-by-zero-for-some-row: varchar !bad-value
UPDATE journal_entries SET mood_level = 100 / (mood_level - 5);
--- one-row-is-not-a-number: plain !bad-value
ALTER TABLE shop.customers
  ALTER ref_no
  TYPE integer USING ref_no::integer;
--- date-does-not-exist: uuid !bad-value
UPDATE users SET created_at = '2026-02-30';
--- json-is-broken: varchar !bad-value
UPDATE journal_entries SET ai_insights = '{"a": }';
--- array-is-broken: varchar !bad-value
INSERT INTO journal_entries (user_id, content, tags) VALUES ('x', 'some content', '[a, b]');
--- date-of-timestamptz-in-index: varchar, half !not-immutable
CREATE INDEX IF NOT EXISTS idx_entries_date
  ON journal_entries (DATE(created_at));
--- cast-to-date-in-index: uuid !not-immutable
CREATE INDEX ON journal_entries ((created_at::date));
--- date-trunc-in-generated-column: varchar !not-immutable
ALTER TABLE journal_entries ADD COLUMN day date GENERATED ALWAYS AS (date_trunc('day', created_at)::date) STORED;
--- now-in-index-predicate: deployed !not-immutable
CREATE INDEX ON ai_usage_logs (user_id) WHERE "timestamp" > now() - interval '7 days';
--- to-char-in-unique-index: half !not-immutable
CREATE UNIQUE INDEX quota_day ON ai_usage_logs (user_id, to_char("timestamp", 'YYYY-MM-DD'));
--- concat-in-generated-column: varchar !not-immutable
ALTER TABLE users ADD COLUMN display text GENERATED ALWAYS AS (concat(name, ' ', email)) STORED;
--- own-stable-function-in-index: uuid !not-immutable
CREATE FUNCTION steady(uuid) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE INDEX ON journal_entries (steady(user_id));
--- subquery-in-check: varchar !unsupported
ALTER TABLE journal_entries ADD CHECK (user_id IN (SELECT id::text FROM users));
--- aggregate-in-where: varchar !other
SELECT user_id FROM journal_entries WHERE count(*) > 3 GROUP BY user_id;
--- column-not-grouped: uuid !other
CREATE VIEW v AS SELECT user_id, content, count(*) FROM journal_entries GROUP BY user_id;
--- window-in-update: varchar !other
UPDATE checkins SET mood = row_number() OVER ();
--- polymorphic-unknown: plain !return-type
CREATE FUNCTION shop.any_of() RETURNS anyelement LANGUAGE sql AS 'SELECT 1';
--- ambiguous-column: varchar !ambiguous
SELECT id FROM users u JOIN checkins c ON c.user_id = u.id;
--- ambiguous-in-plpgsql: deployed !ambiguous
CREATE OR REPLACE FUNCTION usage_of(user_id uuid) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT count(*) FROM ai_usage_logs WHERE user_id = user_id);
END $$;
SELECT usage_of('00000000-0000-4000-8000-000000000002');
--- ambiguous-function: uuid !ambiguous
CREATE FUNCTION pick(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION pick(a int, c date DEFAULT now()) RETURNS int LANGUAGE sql AS 'SELECT 2';
SELECT pick(1);
--- ambiguous-grant: varchar !ambiguous
CREATE FUNCTION twin(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION twin(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
GRANT EXECUTE ON FUNCTION twin TO authenticated;
--- table-named-twice: varchar !ambiguous
SELECT 1 FROM users JOIN users ON true;
--- merge-touches-twice: varchar !duplicate-row
MERGE INTO users u USING (SELECT user_id FROM checkins) c ON c.user_id = u.id
WHEN MATCHED THEN UPDATE SET name = 'twice';
--- on-conflict-touches-twice: half !duplicate-row
INSERT INTO user_tier_limits (tier_name, daily_ai_limit, context_depth, max_tokens_per_request)
VALUES ('free', 1, 1, 1), ('free', 2, 1, 1) ON CONFLICT (tier_name) DO UPDATE SET daily_ai_limit = EXCLUDED.daily_ai_limit;
--- subquery-gives-many-rows: varchar !duplicate-row
UPDATE users SET name = (SELECT note FROM checkins);

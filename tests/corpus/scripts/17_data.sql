--- seed-tiers: varchar, uuid, empty
CREATE TABLE IF NOT EXISTS user_tier_limits (tier_name varchar(50) PRIMARY KEY, daily_ai_limit int NOT NULL, summary_access boolean);
INSERT INTO user_tier_limits VALUES ('free', 5, false), ('beta', 20, true), ('premium', 50, true)
ON CONFLICT (tier_name) DO UPDATE SET daily_ai_limit = EXCLUDED.daily_ai_limit;
--- insert-on-conflict-nothing: half, deployed
INSERT INTO user_tier_limits (tier_name, daily_ai_limit, context_depth, max_tokens_per_request) VALUES ('free', 5, 3, 500), ('trial', 1, 1, 100)
ON CONFLICT DO NOTHING;
--- insert-where-not-exists: uuid
INSERT INTO users (email, name) SELECT 'house@example.org', 'House' WHERE NOT EXISTS (SELECT 1 FROM users WHERE email = 'house@example.org');
--- insert-returning-into-cte: varchar
WITH made AS (INSERT INTO users (email) VALUES ('cte.person@example.org') RETURNING id)
INSERT INTO checkins (user_id, mood) SELECT id, generate_series(1, 3) FROM made;
--- insert-default-values: plain
CREATE TABLE shop.defaults (id int GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now());
INSERT INTO shop.defaults DEFAULT VALUES; INSERT INTO shop.defaults DEFAULT VALUES;
--- update-from-join: uuid
UPDATE users u SET name = 'busy' FROM (SELECT user_id, count(*) AS n FROM journal_entries GROUP BY 1) j WHERE j.user_id = u.id AND j.n >= 5;
--- update-backdates-history: varchar
UPDATE journal_entries SET created_at = created_at - interval '1 year' WHERE created_at < '2026-02-10';
--- update-with-row-values: varchar
UPDATE journal_entries SET (mood_level, energy_level) = (SELECT avg(mood_level)::int, 5 FROM journal_entries) WHERE stress_level IS NULL;
--- update-json: uuid
UPDATE journal_entries SET ai_insights = ai_insights - 'kind'::text || '{"seen": true}'::jsonb WHERE (ai_insights ->> 'score')::int > 2;
DO $$ BEGIN IF (SELECT count(*) FROM journal_entries WHERE ai_insights ? 'seen') <> 80 THEN RAISE EXCEPTION 'other rows'; END IF; END $$;
--- delete-with-using: uuid
DELETE FROM checkins c USING users u WHERE u.id = c.user_id AND NOT u.is_active;
--- delete-cascades: uuid
DELETE FROM checkins; DELETE FROM ai_analyses;
DELETE FROM users WHERE NOT is_active;
--- delete-in-cte-then-archive: varchar
CREATE TABLE old_checkins (LIKE checkins);
WITH gone AS (DELETE FROM checkins WHERE checked_at < '2026-02-03' RETURNING *) INSERT INTO old_checkins SELECT * FROM gone;
--- several-writing-ctes: varchar
WITH a AS (UPDATE users SET name = 'a' WHERE NOT is_active RETURNING id),
     b AS (DELETE FROM checkins WHERE user_id IN (SELECT id FROM a) RETURNING user_id)
SELECT count(*) FROM b;
--- deduplicate: varchar
DELETE FROM checkins a USING checkins b WHERE a.ctid < b.ctid AND a.user_id = b.user_id AND a.mood = b.mood;
CREATE UNIQUE INDEX checkins_once ON checkins (user_id, mood);
--- orphans-removed-then-key: varchar
DELETE FROM ai_analyses WHERE journal_entry_id IN (SELECT id FROM journal_entries WHERE user_id NOT IN (SELECT id::text FROM users));
DELETE FROM journal_entries WHERE user_id NOT IN (SELECT id::text FROM users);
DROP VIEW mood_by_user;
ALTER TABLE journal_entries ALTER user_id TYPE uuid USING user_id::uuid, ADD CONSTRAINT owned FOREIGN KEY (user_id) REFERENCES users;
--- many-rows: empty
INSERT INTO users (email) SELECT 'load' || i || '@example.com' FROM generate_series(1, 5000) i;
INSERT INTO journal_entries (user_id, content, mood_level) SELECT id::text, repeat('x', 40), 5 FROM users;
ANALYZE journal_entries;
--- values-and-table-commands: plain
VALUES (1, 'a'), (2, 'b'); TABLE shop.assets; SELECT; SELECT 1 AS "select" UNION ALL VALUES (2) ORDER BY 1;
--- casts-of-every-kind: varchar
SELECT '1'::int, CAST('2' AS bigint), int '3', interval '1 day 2 hours', point '(1,2)', '{1,2}'::int[], '[1,5)'::int4range, row(1, 'x')::record IS NOT NULL;
SELECT date '2026-01-31' + interval '1 month', '00:00'::time, B'1'::bit(3), '\xdeadbeef'::bytea, 'NaN'::numeric, 1e10, .5, 0x1F::text IS NULL;
--- explain-analyze-writes: varchar
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) DELETE FROM checkins WHERE mood = 9;
DO $$ BEGIN IF EXISTS (SELECT FROM checkins WHERE mood = 9) THEN RAISE EXCEPTION 'still there'; END IF; END $$;
--- prepared-statements: varchar
PREPARE pick (int) AS SELECT count(*) FROM journal_entries WHERE mood_level = $1;
EXECUTE pick(3); DEALLOCATE pick;
--- cursor-outside-functions: uuid
DECLARE walk CURSOR FOR SELECT id FROM users ORDER BY id;
FETCH 3 FROM walk; MOVE FORWARD 5 IN walk; FETCH FIRST FROM walk; CLOSE walk;
--- select-into-table: varchar
SELECT user_id, max(created_at) AS last INTO last_seen FROM journal_entries GROUP BY user_id;
--- premium-for-known-mail: varchar, deployed
ALTER TABLE users ADD COLUMN IF NOT EXISTS is_premium boolean NOT NULL DEFAULT false;
UPDATE users SET is_premium = true WHERE email = 'm3@x.io';
DO $$ BEGIN IF (SELECT count(*) FROM users WHERE is_premium) <> 1 THEN RAISE EXCEPTION 'm3 is not there'; END IF; END $$;
--- large-object: varchar [unknowable]
SELECT lo_unlink(lo_from_bytea(0, '\x00ff'));
--- short-mails-kept-short: uuid
CREATE TABLE short_mails (email varchar(8) PRIMARY KEY);
INSERT INTO short_mails SELECT email FROM users ORDER BY length(email), email LIMIT 5;
--- mail-parts-stored: uuid [unknowable]
CREATE TABLE mail_domains AS SELECT DISTINCT split_part(email, '@', 2) AS domain FROM users;
ALTER TABLE mail_domains ADD PRIMARY KEY (domain);
DO $$ BEGIN IF (SELECT count(*) FROM mail_domains) <> 2 THEN RAISE EXCEPTION '% domains', (SELECT count(*) FROM mail_domains); END IF; END $$;
--- text-is-searched: uuid [unknowable]
UPDATE journal_entries SET tags = array_append(tags, 'hard') WHERE content ILIKE '%hard day%';
DO $$ BEGIN IF NOT EXISTS (SELECT FROM journal_entries WHERE 'hard' = ANY (tags)) THEN RAISE EXCEPTION 'none was hard'; END IF; END $$;
--- words-of-text-counted: varchar
ALTER TABLE journal_entries ADD COLUMN words integer;
UPDATE journal_entries SET words = cardinality(regexp_split_to_array(content, '\s+'));
ALTER TABLE journal_entries ADD CHECK (words > 5);

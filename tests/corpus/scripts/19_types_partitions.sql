--- enum-created-and-used: varchar, empty
CREATE TYPE tier AS ENUM ('free', 'beta', 'premium');
ALTER TABLE users ADD COLUMN tier tier NOT NULL DEFAULT 'free';
UPDATE users SET tier = 'beta' WHERE created_at > now() - interval '30 days';
--- enum-value-added-only: deployed
ALTER TYPE feedback_kind ADD VALUE IF NOT EXISTS 'praise' AFTER 'thumbs_up';
--- enum-value-of-a-new-type-is-used: varchar
CREATE TYPE mood AS ENUM ('low'); ALTER TYPE mood ADD VALUE 'high';
CREATE TABLE moods (m mood); INSERT INTO moods VALUES ('low'), ('high');
--- enum-value-renamed: plain
ALTER TYPE shop.state RENAME VALUE 'sent' TO 'shipped';
UPDATE shop.orders SET status = 'shipped' WHERE status = 'paid';
--- enum-swapped: plain
ALTER TABLE shop.orders ALTER status DROP DEFAULT;
DROP VIEW shop.open_orders CASCADE;
DROP STATISTICS shop.orders_stats;
CREATE TYPE shop.state2 AS ENUM ('new', 'paid', 'sent', 'returned', 'lost');
ALTER TABLE shop.orders ALTER status TYPE shop.state2 USING status::text::shop.state2, ALTER status SET DEFAULT 'lost';
--- domain-created: varchar
CREATE DOMAIN level AS smallint DEFAULT 5 NOT NULL CONSTRAINT one_to_ten CHECK (VALUE BETWEEN 1 AND 10);
ALTER TABLE checkins ADD COLUMN focus level;
--- domain-changed: plain
ALTER DOMAIN shop.amount ADD CONSTRAINT not_too_much CHECK (VALUE < 1000000) NOT VALID;
ALTER DOMAIN shop.amount VALIDATE CONSTRAINT not_too_much;
ALTER DOMAIN shop.amount SET DEFAULT 0;
--- composite-changed: plain
ALTER TYPE shop.address ADD ATTRIBUTE zip varchar(10) CASCADE;
UPDATE shop.customers SET home.zip = '12345';
--- range-type: plain
CREATE TYPE shop.amount_range AS RANGE (SUBTYPE = numeric);
CREATE TABLE shop.bands (band shop.amount_range, EXCLUDE USING gist (band WITH &&));
INSERT INTO shop.bands VALUES ('[0,10)'), ('[10,20)');
--- partition-added: plain
CREATE TABLE shop.events_2026_03 PARTITION OF shop.events FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-04-01 00:00+00');
INSERT INTO shop.events VALUES ('2026-03-05', 'spring', '{"a": [1, 2]}');
--- partition-default: plain
CREATE TABLE shop.regions_rest PARTITION OF shop.regions DEFAULT;
INSERT INTO shop.regions VALUES ('jp', 'Japan'), (NULL, 'nowhere');
--- partition-attached: plain
CREATE TABLE shop.regions_us (LIKE shop.regions);
INSERT INTO shop.regions_us VALUES ('us', 'States');
ALTER TABLE shop.regions_us ADD CONSTRAINT only_us CHECK (code = 'us');
ALTER TABLE shop.regions ATTACH PARTITION shop.regions_us FOR VALUES IN ('us');
--- partition-detached: plain
ALTER TABLE shop.events DETACH PARTITION shop.events_2026_01;
DROP TABLE shop.events_2026_01;
--- hash-partitions: varchar
CREATE TABLE usage_by_user (user_id text NOT NULL, n int) PARTITION BY HASH (user_id);
DO $$ BEGIN FOR i IN 0..3 LOOP EXECUTE format('CREATE TABLE usage_by_user_%s PARTITION OF usage_by_user FOR VALUES WITH (MODULUS 4, REMAINDER %s)', i, i); END LOOP; END $$;
INSERT INTO usage_by_user SELECT user_id, count(*) FROM journal_entries GROUP BY 1;
--- sub-partitions-and-keys: empty
CREATE TABLE m (y int, k text, PRIMARY KEY (y, k)) PARTITION BY RANGE (y);
CREATE TABLE m26 PARTITION OF m FOR VALUES FROM (2026) TO (2027) PARTITION BY LIST (k);
CREATE TABLE m26a PARTITION OF m26 FOR VALUES IN ('a');
CREATE INDEX ON m (k); INSERT INTO m VALUES (2026, 'a');
CREATE TABLE refs (y int, k text, FOREIGN KEY (y, k) REFERENCES m); INSERT INTO refs VALUES (2026, 'a');
--- index-on-partitioned: plain
CREATE INDEX events_at ON ONLY shop.events (at);
CREATE INDEX events_at_01 ON shop.events_2026_01 (at);
CREATE INDEX events_at_02 ON shop.events_2026_02 (at);
ALTER INDEX shop.events_at ATTACH PARTITION shop.events_at_01; ALTER INDEX shop.events_at ATTACH PARTITION shop.events_at_02;
--- row-moved-between-partitions: plain
UPDATE shop.events SET at = at + interval '1 month' WHERE at < '2026-01-15 00:00+00';
--- collation-created: plain
CREATE COLLATION IF NOT EXISTS shop.plain_c (provider = libc, locale = 'C');
ALTER TABLE shop.customers ALTER label TYPE varchar(60) COLLATE shop.plain_c;
CREATE INDEX ON shop.customers (label COLLATE "POSIX" varchar_pattern_ops);
--- text-search-configuration: varchar
CREATE TEXT SEARCH CONFIGURATION journal (COPY = english);
ALTER TEXT SEARCH CONFIGURATION journal ALTER MAPPING FOR asciiword WITH simple;
SELECT to_tsvector('journal', 'The days');
--- type-dropped-with-cascade: deployed
DROP TYPE feedback_kind CASCADE;
DROP TYPE IF EXISTS feedback_kind;
--- row-types: uuid
CREATE FUNCTION first_user() RETURNS users LANGUAGE sql STABLE AS 'SELECT * FROM users ORDER BY id LIMIT 1';
SELECT (first_user()).email, (u).name FROM users u LIMIT 1;
--- multirange-and-json-path: plain
SELECT '{[1,3), [5,7)}'::int4multirange @> 6, jsonb_path_query_array('{"a": [1, 2, 3]}', '$.a[*] ? (@ > 1)'), jsonb_agg(DISTINCT kind) FROM shop.events;

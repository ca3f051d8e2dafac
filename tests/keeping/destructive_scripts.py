"""Knows a hundred scripts that destroy, and the world they destroy: each takes something that must come back."""

from __future__ import annotations

WORLD = """
CREATE SCHEMA shop;
CREATE TYPE shop.size AS ENUM ('s', 'm', 'l');
CREATE DOMAIN shop.money AS numeric(10, 2) CHECK (VALUE >= 0);
CREATE TYPE shop.point AS (x int, y int);
CREATE SEQUENCE shop.tickets START 100;
CREATE FUNCTION shop.next_code() RETURNS text LANGUAGE sql AS $$ SELECT 'c' || nextval('shop.tickets') $$;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END $$;
CREATE FUNCTION shop.doubled(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
CREATE TABLE shop.teams (id int PRIMARY KEY, name text NOT NULL UNIQUE, boss int REFERENCES shop.teams);
CREATE TABLE shop.people (
  id bigserial PRIMARY KEY, team int REFERENCES shop.teams ON DELETE SET NULL, email varchar(60) UNIQUE, age smallint,
  born timestamptz DEFAULT '2020-01-01 00:00:00+00', notes jsonb, touched int NOT NULL DEFAULT 0, tags text[]);
CREATE TABLE shop.items (
  code text PRIMARY KEY DEFAULT shop.next_code(), size shop.size NOT NULL, price shop.money, place shop.point,
  weight double precision, twice int GENERATED ALWAYS AS (stock * 2) STORED, stock int CHECK (stock >= 0));
CREATE TABLE shop.orders (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person bigint NOT NULL REFERENCES shop.people ON DELETE CASCADE,
  item text REFERENCES shop.items ON UPDATE CASCADE, amount int NOT NULL, at timestamptz,
  UNIQUE (person, item, at));
CREATE TABLE shop.lines (
  "order" int REFERENCES shop.orders ON DELETE CASCADE, nr int, text text, PRIMARY KEY ("order", nr));
CREATE TABLE shop.loose (word text, n numeric, at date);
CREATE TABLE shop."Odd name" ("the Key" int PRIMARY KEY, "select" text, key text, hash int, b text, t text);
CREATE TABLE shop.events (id int, day date NOT NULL, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE shop.events_old PARTITION OF shop.events FOR VALUES FROM ('2020-01-01') TO ('2025-01-01');
CREATE TABLE shop.events_new PARTITION OF shop.events FOR VALUES FROM ('2025-01-01') TO ('2030-01-01');
CREATE TABLE shop.animals (id int PRIMARY KEY, name text, legs int);
CREATE TABLE shop.birds (wings int, PRIMARY KEY (id)) INHERITS (shop.animals);
CREATE UNLOGGED TABLE shop.cache (k text PRIMARY KEY, v bytea);
CREATE INDEX people_by_age ON shop.people (age) WHERE age > 20;
CREATE INDEX people_by_double ON shop.people (shop.doubled(age));
CREATE INDEX items_by_price ON shop.items (price DESC NULLS LAST) INCLUDE (stock);
CREATE STATISTICS shop.both_ways ON team, age FROM shop.people;
CREATE TRIGGER touching BEFORE UPDATE ON shop.people FOR EACH ROW EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.people ENABLE ALWAYS TRIGGER touching;
CREATE TRIGGER ordering AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE shop.orders DISABLE TRIGGER ordering;
CREATE VIEW shop.adults WITH (security_invoker = true) AS SELECT id, email, team FROM shop.people WHERE age >= 18;
CREATE VIEW shop.busy AS SELECT a.email, count(*) AS orders
  FROM shop.adults a JOIN shop.orders o ON o.person = a.id GROUP BY 1;
CREATE MATERIALIZED VIEW shop.turnover AS SELECT item, sum(amount) AS sold FROM shop.orders GROUP BY 1;
CREATE UNIQUE INDEX ON shop.turnover (item);
CREATE RULE kept AS ON DELETE TO shop.cache DO ALSO INSERT INTO shop.loose VALUES ('cache', 1, NULL);
ALTER TABLE shop.people ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY;
CREATE POLICY everybody ON shop.people FOR SELECT TO anon USING (age IS NULL OR age < 100);
CREATE POLICY own ON shop.orders TO authenticated USING (person IN (SELECT id FROM shop.people WHERE email = 'x'))
  WITH CHECK (amount > 0);
CREATE POLICY owner ON shop.orders TO postgres USING (true) WITH CHECK (true);
GRANT USAGE ON SCHEMA shop TO anon, authenticated;
GRANT SELECT ON shop.people, shop.items, shop.adults TO anon;
GRANT INSERT, UPDATE (amount, item) ON shop.orders TO authenticated;
GRANT USAGE ON SEQUENCE shop.people_id_seq, shop.tickets TO authenticated;
REVOKE EXECUTE ON FUNCTION shop.next_code() FROM PUBLIC;
COMMENT ON TABLE shop.people IS 'everybody';
COMMENT ON COLUMN shop.people.age IS 'in years';
COMMENT ON CONSTRAINT orders_person_fkey ON shop.orders IS 'who ordered';
COMMENT ON VIEW shop.adults IS 'grown-ups';
INSERT INTO shop.teams SELECT i, 'team ' || i, NULLIF(i / 2, 0) FROM generate_series(1, 8) i;
INSERT INTO shop.people (team, email, age, notes, tags)
  SELECT i % 8 + 1, 'p' || i || '@x.org', 10 + i, '{"a": 1}', ARRAY['t' || i, NULL]
  FROM generate_series(1, 40) i;
INSERT INTO shop.items (size, price, place, weight, stock)
  SELECT (ARRAY['s', 'm', 'l'])[i % 3 + 1]::shop.size, i * 1.25, ROW(i, -i)::shop.point, i / 7.0, i
  FROM generate_series(1, 12) i;
INSERT INTO shop.orders (person, item, amount, at)
  SELECT i % 40 + 1, 'c' || 100 + i % 12, i, timestamptz '2026-01-01 10:00:00+00' + i * interval '1 hour'
  FROM generate_series(1, 80) i;
INSERT INTO shop.lines SELECT i % 80 + 1, i / 80, 'line ' || i FROM generate_series(0, 159) i;
INSERT INTO shop.loose SELECT (ARRAY['a', 'b', NULL])[i % 3 + 1], i % 4, date '2026-01-01' + i % 2
  FROM generate_series(1, 24) i;
INSERT INTO shop."Odd name" SELECT i, 'S' || i, 'k', i, 'b', 't' FROM generate_series(1, 9) i;
INSERT INTO shop.events SELECT i, date '2020-01-01' + i * 100, 'e' || i FROM generate_series(1, 30) i;
INSERT INTO shop.animals SELECT i, 'a' || i, 4 FROM generate_series(1, 5) i;
INSERT INTO shop.birds SELECT 10 + i, 'b' || i, 2, 2 FROM generate_series(1, 5) i;
INSERT INTO shop.cache SELECT 'k' || i, decode(md5(i::text), 'hex') FROM generate_series(1, 5) i;
REFRESH MATERIALIZED VIEW shop.turnover;
"""

_TABLES = (
    "teams", "people", "items", "orders", "lines", "loose", '"Odd name"', "events", "events_old", "events_new",
    "animals", "birds", "cache",
)  # fmt: skip

_COLUMNS = (
    ("people", "age"), ("people", "email"), ("people", "team"), ("people", "id"), ("people", "tags"),
    ("items", "size"), ("items", "price"), ("items", "stock"), ("items", "twice"), ("items", "place"),
    ("orders", "person"), ("orders", "amount"), ("orders", "id"), ("lines", "nr"), ("loose", "n"),
    ('"Odd name"', '"select"'), ("events", "what"), ("animals", "name"), ("cache", "v"), ("teams", "name"),
)  # fmt: skip

_ROWS = (
    "DELETE FROM shop.lines", "DELETE FROM shop.lines WHERE nr = 1", "DELETE FROM shop.people WHERE id < 10",
    "DELETE FROM shop.loose WHERE word = 'a'", "DELETE FROM shop.loose WHERE word IS NULL OR n = 1",
    "DELETE FROM shop.events WHERE what > 'e2'", "DELETE FROM shop.animals", "DELETE FROM ONLY shop.animals",
    "DELETE FROM shop.cache", "UPDATE shop.people SET age = NULL, notes = '{}'", "UPDATE shop.loose SET n = n + 1",
    "UPDATE shop.items SET code = 'x' || code", "UPDATE shop.items SET size = 'l', price = NULL, place = NULL",
    "UPDATE shop.orders SET at = NULL, amount = -amount WHERE id % 2 = 0",
    "UPDATE shop.events SET day = day + 2000 WHERE id < 5",
    "UPDATE shop.teams SET boss = NULL; DELETE FROM shop.teams WHERE id > 4",
    "UPDATE shop.birds SET legs = 3", 'UPDATE shop."Odd name" SET "select" = key, hash = hash + 1',
    "TRUNCATE shop.lines", "TRUNCATE shop.people CASCADE", "TRUNCATE shop.orders RESTART IDENTITY CASCADE",
    "TRUNCATE shop.events", "TRUNCATE shop.loose, shop.cache",
    "WITH gone AS (DELETE FROM shop.lines RETURNING *) INSERT INTO shop.loose SELECT text, nr, NULL FROM gone",
    "MERGE INTO shop.lines l USING shop.orders o ON l.\"order\" = o.id WHEN MATCHED AND o.amount > 40 THEN DELETE"
    " WHEN MATCHED THEN UPDATE SET text = 'merged'",
    "MERGE INTO shop.teams t USING (VALUES (3, 'three'), (99, 'new')) v(id, name) ON t.id = v.id"
    " WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.name, 1)",
    "DO $$ BEGIN DELETE FROM shop.people WHERE age > 30; END $$",
    "DO $$ DECLARE one text; BEGIN FOREACH one IN ARRAY ARRAY['lines', 'loose'] LOOP"
    " EXECUTE format('DELETE FROM shop.%I', one); END LOOP; END $$",
    "DO $$ BEGIN EXECUTE 'TRUNCATE shop.items CASCADE'; EXECUTE 'UPDATE shop.people SET email = upper(email)'; END $$",
    "DO $$ BEGIN BEGIN DELETE FROM shop.lines; RAISE EXCEPTION 'no'; EXCEPTION WHEN others THEN DELETE FROM "
    "shop.cache; END; END $$",
)  # fmt: skip

_TYPES = (
    "DROP VIEW shop.adults CASCADE; DROP INDEX shop.people_by_age, shop.people_by_double;"
    "DROP POLICY everybody ON shop.people; ALTER TABLE shop.people ALTER age TYPE text",
    "ALTER TABLE shop.people ALTER born TYPE date",
    "ALTER TABLE shop.orders ALTER at TYPE date", "ALTER TABLE shop.items ALTER weight TYPE real",
    "ALTER TABLE shop.items ALTER weight TYPE int",
    "DROP RULE kept ON shop.cache; ALTER TABLE shop.loose ALTER n TYPE smallint USING 1",
    "DROP RULE kept ON shop.cache; ALTER TABLE shop.loose ALTER word TYPE varchar(1) USING left(word, 0)",
    "ALTER TABLE shop.items ALTER size TYPE text USING 'all'",
    "ALTER TABLE shop.items ALTER price TYPE int USING round(price)",
    "ALTER TABLE shop.people ALTER notes TYPE text USING notes ->> 'a'",
    'ALTER TABLE shop."Odd name" ALTER hash TYPE boolean USING hash > 4',
    "ALTER TABLE shop.animals ALTER legs TYPE text",
    "ALTER TABLE shop.cache ALTER v TYPE text USING 'gone'",
)  # fmt: skip

_OBJECTS = (
    "DROP SCHEMA shop CASCADE", "DROP TYPE shop.size CASCADE", "DROP DOMAIN shop.money CASCADE",
    "DROP TYPE shop.point CASCADE", "DROP SEQUENCE shop.tickets CASCADE", "DROP FUNCTION shop.touch() CASCADE",
    "DROP FUNCTION shop.next_code() CASCADE", "DROP VIEW shop.adults CASCADE", "DROP MATERIALIZED VIEW shop.turnover",
    "DROP POLICY own ON shop.orders; ALTER TABLE shop.orders DISABLE ROW LEVEL SECURITY",
    "DROP INDEX shop.people_by_age, shop.people_by_double, shop.items_by_price; DROP STATISTICS shop.both_ways",
    "ALTER TABLE shop.orders DROP CONSTRAINT orders_pkey CASCADE",
    "REVOKE ALL ON ALL TABLES IN SCHEMA shop FROM anon, authenticated",
    "COMMENT ON TABLE shop.people IS NULL; COMMENT ON COLUMN shop.people.age IS 'changed'",
    "ALTER TABLE shop.people RENAME TO persons; UPDATE shop.persons SET age = 1",
    "ALTER TABLE shop.people RENAME COLUMN age TO years; DELETE FROM shop.people WHERE years > 20",
    "ALTER TABLE shop.events DETACH PARTITION shop.events_old; DROP TABLE shop.events_old",
    "DROP TABLE shop.people CASCADE; CREATE TABLE shop.people (id bigint PRIMARY KEY, age text);"
    "INSERT INTO shop.people VALUES (1, 'old'), (777, 'new')",
    "CREATE TABLE shop.copy AS SELECT * FROM shop.lines; DROP TABLE shop.lines; ALTER TABLE shop.copy RENAME TO lines",
    "ALTER TABLE shop.lines SET SCHEMA public; DELETE FROM public.lines",
    "DO $$ BEGIN EXECUTE 'DROP TABLE shop.orders, shop.lines CASCADE'; END $$",
    "DO $$ DECLARE one record; BEGIN FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'shop' LOOP"
    " EXECUTE format('DROP TABLE IF EXISTS shop.%I CASCADE', one.tablename); END LOOP; END $$",
    "SET search_path = shop; DROP TABLE lines; DELETE FROM orders; DROP TABLE people CASCADE",
    "ALTER TABLE shop.people DROP COLUMN age CASCADE, ADD COLUMN age int; UPDATE shop.people SET age = 5",
)  # fmt: skip


def scripts() -> list[str]:
    """All of them, the same each time."""
    return [
        *(f"DROP TABLE shop.{table} CASCADE" for table in _TABLES),
        *(f"ALTER TABLE shop.{table} DROP COLUMN {column} CASCADE" for table, column in _COLUMNS),
        *_ROWS,
        *_TYPES,
        *_OBJECTS,
    ]

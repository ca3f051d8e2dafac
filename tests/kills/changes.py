"""Knows the database that is changed in each round, and the changes: what each deploys, asks, and takes back."""

from __future__ import annotations

from dataclasses import dataclass

from services.database.script import Script
from services.database.verification import Query

OURS = 1_000_000
"""Rows of at least this id were written by the people who go on working meanwhile."""

BASE = """
CREATE TABLE visits (id bigint PRIMARY KEY, note text);
CREATE TABLE people (id bigint PRIMARY KEY, email text, old_name text, level int);
CREATE TABLE entries (id bigint PRIMARY KEY, person bigint REFERENCES people, mood int, content text);
CREATE TABLE notes (id bigint PRIMARY KEY, body text);
CREATE TABLE tags (id bigint PRIMARY KEY, tag text);
CREATE TABLE days (id bigint NOT NULL, what text) PARTITION BY RANGE (id);
CREATE TABLE days_old PARTITION OF days FOR VALUES FROM (0) TO (100);
CREATE TABLE days_new PARTITION OF days FOR VALUES FROM (100) TO (100000000);
CREATE TABLE ledger (id bigint PRIMARY KEY, note text);
CREATE FUNCTION slow(n bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_sleep(0.0002); RETURN n; END $$;
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_sleep(0.03); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT OR DELETE ON ledger DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION linger();
CREATE INDEX entries_mood ON entries (mood);
CREATE VIEW moods AS SELECT person, avg(mood) AS mood FROM entries GROUP BY person;
INSERT INTO people SELECT n, 'person' || n || '@example.com', 'name ' || n, n % 10 FROM generate_series(1, 60) n;
INSERT INTO entries SELECT n, n % 60 + 1, n % 10, 'a day at work ' || n FROM generate_series(1, 200) n;
INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 80) n;
INSERT INTO tags SELECT n, 'tag ' || n FROM generate_series(1, 40) n;
INSERT INTO days SELECT n, 'day ' || n FROM generate_series(1, 180) n;
INSERT INTO ledger VALUES (1, 'begun');
"""
"""A row in `ledger` makes COMMIT take 30 ms, so that a kill can meet it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. down: empty where the way back is the one derived at the deploy.

    used: what people write after the deploy, before it is taken back. written: tables that they write meanwhile, if
    these are there.
    """

    id: str
    up: str
    down: str = ""
    asked: tuple[str, ...] = ()
    used: str = ""
    written: tuple[str, ...] = ("visits", "entries", "days")

    @property
    def deploy(self) -> list[Script]:
        return [Script(f"{self.id}.sql", self.up)]

    @property
    def rollback(self) -> list[Script]:
        return [Script(f"{self.id}-back.sql", self.down)] if self.down else []

    @property
    def queries(self) -> list[Query]:
        return [Query(f"q{n}", f"q{n}.sql", sql, "all is well") for n, sql in enumerate(self.asked)]


ONE = Change(
    "one",
    """
CREATE TABLE extra (id bigint PRIMARY KEY, note text);
INSERT INTO extra SELECT n, 'extra ' || n FROM generate_series(1, 50) n;
ALTER TABLE people ADD COLUMN premium boolean DEFAULT false;
SELECT pg_sleep(0.03);
CREATE INDEX people_level ON people (level);
UPDATE people SET premium = true WHERE level > 5;
CREATE FUNCTION count_extra() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM extra';
INSERT INTO ledger VALUES (2, 'one');
""",
    """
DROP FUNCTION count_extra();
DROP TABLE extra;
DROP INDEX people_level;
ALTER TABLE people DROP COLUMN premium;
SELECT pg_sleep(0.03);
DELETE FROM ledger WHERE id = 2;
""",
    asked=("SELECT * FROM people WHERE premium IS NULL",),
    used="INSERT INTO extra VALUES (500, 'later'); UPDATE people SET premium = true WHERE id = 3",
    written=("visits", "people", "extra"),
)

PARTS = Change(
    "parts",
    """
CREATE TABLE extra (id bigint PRIMARY KEY, note text);
CREATE INDEX CONCURRENTLY entries_slowly ON entries (slow(id));
ALTER TABLE people ADD COLUMN seen int DEFAULT 0;
ALTER TABLE days DETACH PARTITION days_old CONCURRENTLY;
CREATE INDEX CONCURRENTLY ON entries (slow(person), mood);
DROP INDEX CONCURRENTLY entries_mood;
REINDEX TABLE CONCURRENTLY people;
INSERT INTO extra VALUES (1, 'all parts are in');
INSERT INTO ledger VALUES (3, 'parts');
""",
    """
DROP INDEX entries_slowly, entries_slow_mood_idx;
CREATE INDEX entries_mood ON entries (mood);
ALTER TABLE days ATTACH PARTITION days_old FOR VALUES FROM (0) TO (100);
ALTER TABLE days_old DROP CONSTRAINT days_old_id_check;
ALTER TABLE people DROP COLUMN seen;
DROP TABLE extra;
DELETE FROM ledger WHERE id = 3;
""",
    asked=("SELECT * FROM extra WHERE note <> 'all parts are in'",),
    used="UPDATE people SET seen = 4 WHERE id < 9",
    written=("visits", "entries", "extra"),
)

LOSS = Change(
    "loss",
    """
DROP TABLE notes;
ALTER TABLE people DROP COLUMN old_name;
DELETE FROM entries WHERE mood = 3;
DO $$ BEGIN EXECUTE 'DELETE FROM tags WHERE id < 20'; PERFORM pg_sleep(0.02); END $$;
INSERT INTO ledger VALUES (4, 'loss');
""",
    used="INSERT INTO tags VALUES (600, 'later')",
    written=("visits", "notes", "tags", "entries"),
)

CHECKED = Change(
    "checked",
    """
ALTER TABLE people ADD COLUMN score int;
UPDATE people SET score = level * 10;
ALTER TABLE people ALTER COLUMN score SET DEFAULT 0;
CREATE VIEW best AS SELECT id FROM people WHERE score > 80;
""",
    "DROP VIEW best; ALTER TABLE people DROP COLUMN score;",
    asked=(
        "SELECT id FROM people WHERE score <> level * 10 AND id < 100",
        "SELECT 1 FROM pg_sleep(0.05) s WHERE s::text <> ''",
        "SELECT b.id FROM best b LEFT JOIN people p ON p.id = b.id WHERE p.id IS NULL AND pg_sleep(0.01) IS NOT NULL",
        "SELECT 1 FROM pg_sleep(0.05) s WHERE s::text <> '' OR NOT EXISTS (SELECT FROM best)",
    ),
    used="UPDATE people SET score = 99 WHERE id = 7",
    written=("visits", "people"),
)

TALKS = Change(
    "talks",
    """
DO $$ BEGIN RAISE NOTICE 'first'; PERFORM pg_sleep(0.04); RAISE WARNING 'second'; END $$;
CREATE TYPE size AS ENUM ('small', 'large');
CREATE TABLE boxes (id bigint PRIMARY KEY, size size NOT NULL DEFAULT 'small');
DO $$ BEGIN FOR n IN 1..20 LOOP INSERT INTO boxes VALUES (n); RAISE NOTICE 'box %', n; PERFORM pg_sleep(0.003);
  END LOOP; END $$;
SELECT pg_sleep(0.05);
COMMENT ON TABLE boxes IS 'they hold things';
INSERT INTO ledger VALUES (5, 'talks');
""",
    """
DO $$ BEGIN RAISE NOTICE 'back'; PERFORM pg_sleep(0.04); EXECUTE 'DROP TABLE boxes'; END $$;
DROP TYPE size;
DELETE FROM ledger WHERE id = 5;
""",
    used="INSERT INTO boxes VALUES (700, 'large')",
    written=("visits", "boxes"),
)

CHANGES = {change.id: change for change in (ONE, PARTS, LOSS, CHECKED, TALKS)}

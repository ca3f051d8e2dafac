"""Ten ways to a lock queue: what is there, who holds what for a second, which change comes, who writes meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

SETUP = """
CREATE TABLE people (id int PRIMARY KEY, n int, note text, gone text);
INSERT INTO people SELECT g, g, 'note ' || g, 'gone ' || g FROM generate_series(1, 2000) g;
CREATE TABLE orders (id int PRIMARY KEY, n int, person int);
INSERT INTO orders SELECT g, g, g FROM generate_series(1, 2000) g;
CREATE TABLE parted (id int, n int) PARTITION BY LIST (n);
CREATE TABLE part_7 (id int, n int CHECK (n IS NOT NULL AND n = 7));
INSERT INTO part_7 SELECT g, 7 FROM generate_series(1, 2000) g;
"""
WRITE = {
    "people": "UPDATE people SET note = note || '' WHERE id = {id}",
    "orders": "UPDATE orders SET n = n + 1 WHERE id = {id}",
    "part_7": "UPDATE part_7 SET id = id WHERE id = {id}",
}


@dataclass(frozen=True)
class Scenario:
    """holds: what a session does first in a transaction that then idles; then: what it does before it ends it.

    writes: tables that writers write to. reorders: the change is deployed in the order that rehearsal gives it.
    """

    id: str
    holds: str
    change: str
    then: str = "SELECT 1"
    writes: tuple[str, ...] = ("people",)
    reorders: bool = False


_READS = "SELECT count(*) FROM people"
_WRITES = "UPDATE people SET n = n WHERE id = 1"

SCENARIOS = (
    Scenario("idle-reader", _READS, "ALTER TABLE people ADD COLUMN extra int;"),
    Scenario(
        "long-select",
        "SELECT 1",
        "ALTER TABLE people ALTER COLUMN n SET DEFAULT 0;",
        "SELECT pg_sleep({s}) FROM people LIMIT 1",
    ),
    Scenario(
        "foreign-key",
        _WRITES,
        "ALTER TABLE orders ADD CONSTRAINT of_person FOREIGN KEY (person) REFERENCES people (id) NOT VALID;\n"
        "ALTER TABLE orders VALIDATE CONSTRAINT of_person;",
        writes=("people", "orders"),
    ),
    Scenario(
        "set-not-null",
        _READS,
        "ALTER TABLE people ADD CONSTRAINT n_there CHECK (n IS NOT NULL) NOT VALID;\n"
        "ALTER TABLE people VALIDATE CONSTRAINT n_there;\n"
        "ALTER TABLE people ALTER COLUMN n SET NOT NULL;\nALTER TABLE people DROP CONSTRAINT n_there;",
    ),
    Scenario("index", _WRITES, "CREATE INDEX by_n ON people (n);"),
    Scenario(
        "opposite-orders",
        "UPDATE orders SET n = n WHERE id = 1",
        "ALTER TABLE people ADD COLUMN extra int;\nALTER TABLE orders ADD COLUMN extra int;",
        then="UPDATE people SET n = n WHERE id = 1",
        writes=("people", "orders"),
    ),
    Scenario("drop-column", _READS, "ALTER TABLE people DROP COLUMN gone;"),
    Scenario(
        "policy",
        _READS,
        "ALTER TABLE people ENABLE ROW LEVEL SECURITY;\nCREATE POLICY everybody ON people USING (true);",
    ),
    Scenario(
        "trigger",
        _WRITES,
        "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n"
        "CREATE TRIGGER quiet BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION quiet();",
    ),
    Scenario(
        "partition-attach",
        "SELECT count(*) FROM part_7",
        "ALTER TABLE parted ATTACH PARTITION part_7 FOR VALUES IN (7);",
        writes=("part_7",),
    ),
    Scenario(
        "long-work-after-a-lock",
        "SELECT 1",
        "ALTER TABLE people ADD COLUMN extra int;\nCREATE TABLE logs (id int, at timestamptz);\n"
        "INSERT INTO logs SELECT g, now() FROM generate_series(1, {rows}) g;\nCREATE INDEX ON logs (id);",
        reorders=True,
    ),
)

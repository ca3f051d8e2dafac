"""Our rules over the parse tree: each with what it finds, and with what is like it and harmless."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.database.dangers.bodies import dynamic_of, unfiltered_writes
from services.database.dangers.rules import rule_findings
from services.database.dangers.written import Catalog
from services.database.script import Script

F = "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN {} END $$;"
FOUND = [
    ("DELETE FROM users;", "delete-without-where"),
    ("UPDATE users SET a = 1;", "update-without-where"),
    ("WITH x AS (DELETE FROM users RETURNING 1) SELECT 1;", "delete-without-where"),
    ("TRUNCATE users;", "truncate"),
    ("ALTER TABLE users ADD COLUMN x uuid DEFAULT gen_random_uuid();", "volatile-default"),
    ("ALTER TABLE users ADD COLUMN x uuid DEFAULT extensions.uuid_generate_v4();", "volatile-default"),
    ("ALTER TABLE users ADD COLUMN x int NOT NULL;", "required-without-default"),
    ("ALTER TABLE users RENAME COLUMN a TO b;", "rename-in-use"),
    ("ALTER TABLE users RENAME TO people;", "rename-in-use"),
    ("DROP TABLE users CASCADE;", "drop-cascade"),
    ("ALTER TABLE users DROP COLUMN a CASCADE;", "drop-cascade"),
    ("CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY);\nINSERT INTO t VALUES (1);", "insert-without-conflict"),
    ("CREATE TABLE t (ts timestamptz);\nCREATE INDEX ON t ((ts::date));", "not-immutable"),
    ("CREATE TABLE t (ts timestamptz, d date GENERATED ALWAYS AS (ts::date) STORED);", "not-immutable"),
    ("CREATE INDEX ON users (id) WHERE created_at > now();", "not-immutable"),
    ("REFRESH MATERIALIZED VIEW totals;", "refresh-blocks-readers"),
    (F.format("EXECUTE 'DELETE FROM ' || t;"), "dynamic-sql"),
    (F.format("EXECUTE format('DROP TABLE %s', t);"), "dynamic-sql"),
    (F.format("UPDATE users SET a = 1;"), "writes-all-rows"),
    (F.format("EXECUTE 'DELETE FROM users';"), "writes-all-rows"),
    ("DO $$ BEGIN DELETE FROM users; END $$;", "writes-all-rows"),
    ("DO $$ BEGIN DROP TABLE users CASCADE; END $$;", "drop-cascade"),
    ("CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';", "definer-search-path"),
    ("ALTER TYPE mood ADD VALUE 'calm';\nINSERT INTO moods VALUES ('calm');", "enum-value-used"),
    ("CREATE TABLE mails AS SELECT email FROM users;", "copy-without-row-security"),
    ("CREATE VIEW mails AS SELECT 1;\nGRANT SELECT ON mails TO authenticated;", "view-of-owner"),
    ("GRANT SELECT ON users TO anon;", "granted-to-strangers"),
    ("GRANT ALL ON users TO PUBLIC;", "granted-to-strangers"),
    ("CREATE POLICY p ON users FOR INSERT WITH CHECK (true);", "policy-always-true"),
    ("ALTER TABLE users DISABLE ROW LEVEL SECURITY;", "row-security-off"),
    ("CREATE ROLE app LOGIN PASSWORD 'x';", "password-in-script"),
    ("BEGIN;\nSELECT 1;\nCOMMIT;", "transaction-inside"),
]
HARMLESS = [
    "DELETE FROM users WHERE id = 1;",
    "DELETE FROM users USING gone WHERE gone.id = users.id;",
    "CREATE TABLE t (id int);\nUPDATE t SET id = 1;\nDELETE FROM t;\nTRUNCATE t;",
    "ALTER TABLE users ADD COLUMN x timestamptz DEFAULT now();",
    "ALTER TABLE users ADD COLUMN x int NOT NULL DEFAULT 0;",
    "CREATE TABLE t (id int);\nALTER TABLE t ADD COLUMN x int NOT NULL;\nALTER TABLE t RENAME COLUMN id TO key;",
    "DROP TABLE users;",
    "CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY);\nINSERT INTO t VALUES (1) ON CONFLICT DO NOTHING;",
    "CREATE TABLE IF NOT EXISTS t (id int);\nINSERT INTO t VALUES (1);",
    "CREATE INDEX ON users ((lower(email)));",
    "CREATE TABLE t (ts timestamptz);\nCREATE INDEX ON t (((ts AT TIME ZONE 'UTC')::date));",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY totals;",
    F.format("EXECUTE format('DROP TABLE %I', t);"),
    F.format("EXECUTE 'DELETE FROM ' || quote_ident(t);"),
    F.format("EXECUTE 'SELECT 1' USING t;"),
    F.format("UPDATE users SET a = 1 WHERE b = t;"),
    "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || name; END $$;",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';",
    "ALTER TYPE mood ADD VALUE 'calm';\nINSERT INTO moods VALUES ('wild');",
    "CREATE TABLE mails AS SELECT 1;\nALTER TABLE mails ENABLE ROW LEVEL SECURITY;",
    "CREATE TEMP TABLE mails AS SELECT 1;",
    "CREATE VIEW v WITH (security_invoker) AS SELECT 1;\nGRANT SELECT ON v TO authenticated;",
    "GRANT SELECT ON users TO service_role;",
    "CREATE POLICY p ON users FOR SELECT USING (true);",
    "CREATE ROLE app NOLOGIN;",
    "SELECT 'DELETE FROM users';",
    "this is not SQL;",
]


def rules(sql: str, catalog: Catalog | None = None) -> list[str]:
    return [one.rule for one in rule_findings([Script("a.sql", sql)], catalog)]


@pytest.mark.parametrize(("sql", "rule"), FOUND)
def test_it_is_found(sql: str, rule: str) -> None:
    assert rule in rules(sql)


@pytest.mark.parametrize("sql", HARMLESS)
def test_what_is_harmless_is_not_found(sql: str) -> None:
    assert rules(sql) == []


def test_the_line_is_where_the_statement_begins() -> None:
    (found,) = rule_findings([Script("b.sql", "SELECT 1;\n\n-- gone\nDELETE\nFROM users;\n")])
    assert (found.file, found.line) == ("b.sql", 4)
    assert found.fix


def test_types_come_from_the_catalog() -> None:
    sql = "CREATE INDEX ON people (date_trunc('day', born));"
    known = {"public.people": {"born": "timestamp without time zone"}}
    assert rules(sql, Catalog(17, known)) == []
    assert rules(sql, Catalog(17, {"public.people": {"born": "timestamptz"}})) == ["not-immutable"]


@pytest.mark.parametrize(
    "body",
    ["DECLARE r record; BEGIN FOR r IN SELECT 1 LOOP DELETE FROM x; END LOOP; RETURN NEW; END",
     "BEGIN DELETE FROM x; RETURN; END", "BEGIN DELETE FROM x; RETURN QUERY SELECT 1; END",
     "BEGIN IF TG_OP = 'DELETE' THEN DELETE FROM x; END IF; NEW.a := 1; RETURN NEW; END",
     "BEGIN EXECUTE 'DELETE FROM x'; END", "BEGIN TRUNCATE x; END"],
)  # fmt: skip
def test_bodies_are_read_whatever_their_function_returns(body: str) -> None:
    assert list(unfiltered_writes(body, "plpgsql")) == ["x"]


def test_what_is_executed_is_known_as_it_was_written() -> None:
    assert list(dynamic_of("BEGIN EXECUTE 'a' || b; PERFORM 1; END")) == ["'a' || b"]
    assert list(dynamic_of("this is no body")) == []


def test_the_page_has_every_rule_and_no_other() -> None:
    page = (Path(__file__).parents[4] / "docs" / "dangers.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"`([a-z-]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", page.split("## Lint")[1], re.MULTILINE)))
    )
    assert named == {rule for _, rule in FOUND}

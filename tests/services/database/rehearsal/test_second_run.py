"""What a second run refuses or changes again is named, with a form that was run twice before it is offered."""

from __future__ import annotations

import pytest

from services.database.rehearsal.guarded_form import guarded_forms
from services.database.rehearsal.rehearse import Rehearsal, rehearse_on
from services.database.rehearsal.shadow import Shadow
from services.database.script import read_scripts
from services.verdict import Verdict
from tests.campaign import sample
from tests.services.database.app_database import script

EVERY_KIND = """CREATE TABLE a (id int PRIMARY KEY, n text);
CREATE INDEX ON a (id, n);
CREATE TYPE mood AS ENUM ('x');
ALTER TABLE a ADD COLUMN z int, ADD COLUMN y int;
ALTER TABLE a ADD CONSTRAINT zc CHECK (z > 0);
ALTER TABLE a ADD CHECK (id > 0);
CREATE POLICY p ON a USING (true);
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1';
INSERT INTO a (id, n) VALUES (1, 'a');
CREATE TABLE keyless (v text, w date);
INSERT INTO keyless (v, w) VALUES ('q', '2020-01-01'), ('r', NULL);
CREATE ROLE somebody;
ALTER TABLE users RENAME COLUMN created_at TO made_at;
"""


def on(copy: Shadow, sql: str) -> Rehearsal:
    found = rehearse_on(copy, read_scripts(script(sql)).statements)
    copy.drop_clones()
    return found


def test_every_statement_gets_a_form_that_runs_twice(app_shadow: Shadow):
    found = on(app_shadow, EVERY_KIND)
    assert {one.line: one.kind for one in found.not_idempotent} == {
        **dict.fromkeys((1, 3, 4, 5, 7, 8, 9, 10, 12, 13), "fails"),
        **dict.fromkeys((2, 6), "catalog"),
        11: "rows",
    }
    assert [one.line for one in found.not_idempotent if one.guarded is None] == []
    guarded = ";\n".join(str(one.guarded) for one in found.not_idempotent) + ";"
    again = on(app_shadow, guarded)
    assert (again.verdict, again.not_idempotent) == (Verdict.PASS, ())


def test_what_has_no_form_does_not_spoil_those_of_others(app_shadow: Shadow):
    sql = "CREATE TABLE b (id int);\nALTER TABLE users ADD COLUMN y int;\nALTER TABLE users RENAME COLUMN y TO yy;"
    assert {one.line: one.guarded for one in on(app_shadow, sql).not_idempotent}[
        1
    ] == "CREATE TABLE IF NOT EXISTS b (id int)"


def test_changed_rows_and_catalogs_are_findings_and_no_failure(app_shadow: Shadow):
    found = on(
        app_shadow, "UPDATE journal_entries SET mood_level = mood_level + 1;\nCREATE INDEX ON users (created_at);"
    )
    assert (found.verdict, found.second_run) == (Verdict.PASS, None)
    assert [(one.line, one.kind) for one in found.not_idempotent] == [(1, "rows"), (2, "catalog")]


@pytest.mark.parametrize(
    "sql",
    sample(
        [
            "UPDATE users SET email = lower(email);",
            "CREATE OR REPLACE VIEW calm AS SELECT 1 AS one; DROP VIEW calm;",
            "DROP POLICY IF EXISTS p ON users; CREATE POLICY p ON users USING (true);",
            "INSERT INTO users (id, email) SELECT id, email FROM users ON CONFLICT DO NOTHING;",
        ],
        2,
        seed=3,
    ),
)
def test_what_comes_to_the_same_is_idempotent(app_shadow: Shadow, sql):
    assert on(app_shadow, sql).not_idempotent == ()


UNDONE = "SAVEPOINT s;\nINSERT INTO users (email) VALUES ('a@example.com');\nROLLBACK TO s;\n"


@pytest.mark.parametrize(
    ("sql", "again"),
    sample([
        (UNDONE, []),
        (UNDONE + "INSERT INTO log VALUES (1);\nRELEASE s;\n", [6]),
        ("SAVEPOINT s;\nINSERT INTO log VALUES (1);\nSAVEPOINT t;\nROLLBACK TO t;\nRELEASE s;\n", [4]),
        ("SAVEPOINT s;\nSAVEPOINT t;\nINSERT INTO log VALUES (1);\nRELEASE t;\nROLLBACK TO s;\n", []),
        ("DO $$ BEGIN INSERT INTO users (email) VALUES ('b@example.com'); PERFORM 1 / 0;"
         " EXCEPTION WHEN division_by_zero THEN NULL; END $$;", []),
        ("DO $$ BEGIN INSERT INTO log VALUES (2); EXCEPTION WHEN division_by_zero THEN NULL; END $$;", [3]),
    ], 3, seed=3),
)  # fmt: skip
def test_rows_that_a_savepoint_undoes_are_not_changed_again(app_shadow: Shadow, sql: str, again: list[int]):
    found = on(app_shadow, "CREATE TABLE IF NOT EXISTS log (n int);\nSELECT 1;\n" + sql)
    assert (found.failure, [(one.line, one.kind) for one in found.not_idempotent]) == (
        None,
        [(line, "rows") for line in again],
    )


def test_what_is_there_already_is_offered_guarded(app_shadow: Shadow):
    found = on(app_shadow, "SELECT 1;\nCREATE TABLE -- again\n  users (id int);")
    assert found.failure.suggestion == "CREATE TABLE IF NOT EXISTS -- again\n  users (id int)"


@pytest.mark.parametrize(
    ("sql", "sqlstate", "expected"),
    [
        ("DROP TABLE a, b", "42P01", "DROP TABLE IF EXISTS a, b"),
        ("DROP INDEX CONCURRENTLY i", "42704", "DROP INDEX CONCURRENTLY IF EXISTS i"),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
            "42P07",
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
        ),
        ("CREATE MATERIALIZED VIEW m AS SELECT 1", "42P07", "CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT 1"),
        ("ALTER TABLE t DROP COLUMN a", "42703", "ALTER TABLE t DROP COLUMN IF EXISTS a"),
        ("ALTER TYPE m ADD VALUE 'x'", "42710", "ALTER TYPE m ADD VALUE IF NOT EXISTS 'x'"),
        ("UPDATE t SET a = a + 1", None, None),
    ],
)
def test_forms_keep_the_text_where_they_can(sql, sqlstate, expected):
    assert (guarded_forms(sql, sqlstate) or [None])[0] == expected


def test_a_form_never_closes_the_quote_of_the_statement():
    sql = "CREATE TYPE t AS ENUM ('$guard$', '$guard1$')"
    assert guarded_forms(sql, "42710")[0].startswith("DO $guard2$")

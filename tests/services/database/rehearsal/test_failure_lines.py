"""Rehearsal equals truth: line, SQLSTATE, message and second run of failing scripts, with real psql as the judge."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql as sql_parts

from services.database.connect import connection_parameters
from services.database.rehearsal.rehearse import rehearse_on
from services.database.rehearsal.shadow import Shadow
from services.database.script import Script, read_scripts
from services.database.server import Server
from tests.campaign import only_in_full
from tests.services.database.app_database import APP

SCRIPTS = {
    "syntax": "SELECT 1;\nSELEC 2;\nSELECT 3;\n",
    "ends_early": "SELECT 1;\nSELECT 1 +\n;\nSELECT 3;\n",
    "syntax_last_line": "SELECT 1;\nSELECT FROM WHERE\n\n",
    "unclosed_paren": "SELECT 1;\nCREATE TABLE a (id int;\nSELECT 2;\n-- end\n",
    "unclosed_quote": "SELECT 1;\nINSERT INTO users (email) VALUES ('x);\nSELECT 2;\n",
    "unclosed_dollar": "DO $$\nBEGIN\n  NULL;\nEND;\nSELECT 1;\n",
    "unclosed_comment": "SELECT 1;\n/* never ends\nSELECT 2;\n",
    "no_semicolon": "SELECT 1;\nSELECT *\nFROM nowhere",
    "no_semicolon_comment": "SELECT * FROM nowhere\n-- a comment\n\n",
    "missing_table": "SELECT 1;\n\nALTER TABLE nowhere\n  ADD COLUMN x int;\nSELECT 2;",
    "missing_column": "SELECT 1; UPDATE users\nSET nickname = 'x'\n;",
    "missing_function": "SELECT no_such_function(1);",
    "uuid_and_varchar": "SELECT 1;\nSELECT * FROM users u\n JOIN journal_entries e ON e.user_id = u.id;\n",
    "not_immutable": "CREATE INDEX i ON journal_entries\n (DATE(created_at));\n",
    "exists": "CREATE TABLE fresh (id int);\nCREATE TABLE users (id int);\n",
    "policy_exists": "CREATE POLICY p ON users USING (true);\nCREATE POLICY p ON users USING (true);",
    "view_columns": "CREATE OR REPLACE VIEW moods AS\n SELECT 1 AS other;\n",
    "return_type": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n"
    "CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'a' $$;\n",
    "raised": "DO $$\nBEGIN\n  RAISE EXCEPTION 'not today';\nEND\n$$;\nSELECT 1;",
    "wrong_kind": "ALTER VIEW users RENAME TO people;",
    "dependents": "SELECT 1;\n\n\nDROP TABLE journal_entries;",
    "foreign_key": "CREATE TABLE child (u uuid REFERENCES users);\n"
    "INSERT INTO child VALUES\n ('00000000-0000-0000-0000-000000000000');",
    "duplicate": "INSERT INTO users (email)\n SELECT 'same' FROM generate_series(1, 2);",
    "null": "ALTER TABLE users ADD COLUMN x int NOT NULL;\n",
    "check": "ALTER TABLE journal_entries\n ADD CHECK (mood_level < 5);",
    "bad_cast": "ALTER TABLE journal_entries ALTER user_id TYPE uuid USING user_id::uuid;",
    "deferred": "CREATE TABLE child (u uuid REFERENCES users DEFERRABLE INITIALLY DEFERRED);\n"
    "INSERT INTO child VALUES ('00000000-0000-0000-0000-000000000000');\nSELECT 1;\n",
    "permission": "ALTER TABLE auth.users ADD COLUMN x int;",
    "atomic_body": "CREATE FUNCTION g() RETURNS int LANGUAGE sql BEGIN ATOMIC\n"
    " SELECT 1; SELECT 2;\nEND;\nSELECT g(;\n",
    "second_run_table": "SELECT 1;\nCREATE TABLE once (id int);\n",
    "second_run_row": "INSERT INTO users (email) VALUES ('new@example.com');",
    "second_run_column": "ALTER TABLE users\n ADD COLUMN once int;",
    "passes": "CREATE TABLE IF NOT EXISTS calm (id int);\nSELECT 'ü;' ;;\n",
}
CLEAN = {"passes"}
EVERY_RUN = {
    "syntax_last_line",
    "unclosed_paren",
    "unclosed_dollar",
    "no_semicolon_comment",
    "uuid_and_varchar",
    "not_immutable",
    "raised",
    "foreign_key",
    "deferred",
    "second_run_row",
    "passes",
}
"""The others wait for the campaign, where the corpus of scripts is compared with psql as well."""


@pytest.fixture(scope="module")
def psql_base(postgres_server: Server, supabase_cluster, supabase_template) -> Iterator[str]:
    """A small app's database, to be cloned for psql."""
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE psql_base TEMPLATE {supabase_template} OWNER postgres")
        with psycopg.connect(supabase_cluster.dsn("postgres", "psql_base"), autocommit=True) as owner:
            owner.execute(APP)
        yield supabase_cluster.dsn("postgres", "psql_base")
        admin.execute("DROP DATABASE psql_base WITH (FORCE)")


@pytest.fixture
def told_by_psql(postgres_server: Server, supabase_cluster, psql_base: str, tmp_path: Path):
    """Run a script twice with `psql -1 -v ON_ERROR_STOP=1`; gives (line, SQLSTATE, message) or None of each run."""
    parts = connection_parameters(supabase_cluster.dsn("postgres", "psql_twin"))
    environment = {**os.environ, "PGPASSWORD": parts.pop("password")}
    command = [str(postgres_server.binaries.tool("psql")), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1"]
    command += ["-v", "VERBOSITY=verbose", "-o", os.devnull, "-d", psycopg.conninfo.make_conninfo("", **parts)]

    def run(sql: str):
        file = tmp_path / "x.sql"
        file.write_text(sql)
        with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
            admin.execute("DROP DATABASE IF EXISTS psql_twin")
            admin.execute(sql_parts.SQL("CREATE DATABASE psql_twin TEMPLATE psql_base OWNER postgres"))
        told = []
        for _ in range(2):
            done = subprocess.run(
                [*command, "-f", str(file)], env=environment, capture_output=True, text=True, timeout=30
            )
            match = re.search(r"^(?:psql:[^\n:]*:(\d+): )?ERROR:  (\w{5}): ([^\n]*)", done.stderr, re.MULTILINE)
            assert bool(match) == (done.returncode != 0), done.stderr
            told.append((int(match[1]) if match[1] else None, match[2], match[3]) if match else None)
        return told

    return run


@pytest.mark.parametrize(
    "name", [name if name in EVERY_RUN else pytest.param(name, marks=only_in_full) for name in SCRIPTS]
)
def test_rehearsal_fails_where_and_as_psql_does(name: str, told_by_psql, app_shadow: Shadow):
    first, second = told_by_psql(SCRIPTS[name])
    found = rehearse_on(app_shadow, read_scripts([Script("x.sql", SCRIPTS[name])]).statements)
    app_shadow.drop_clones()
    expected_second = None if first else second

    assert _told(found.failure) == _at_commit(first)
    assert _told(found.second_run) == _at_commit(expected_second)
    assert (found.verdict.value == "pass") == (name in CLEAN)


def _told(failure):
    return (failure.line, failure.sqlstate, failure.message.splitlines()[0]) if failure else None


def _at_commit(told):
    """psql names the last line for a failure at COMMIT, which no line of the file is to blame for."""
    return (None, *told[1:]) if told and told[1] == "23503" and "DEFERRED" in told[2].upper() else told

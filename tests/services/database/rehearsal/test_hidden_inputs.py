"""What a shadow cannot know makes a script unknown; what only looks like it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.database.rehearsal.hidden_inputs import Circumstance, hidden_inputs
from services.database.script import Script, load_scripts, read_scripts

CHOOSES = "CREATE FUNCTION chooses() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN IF random() < 0.5 THEN RETURN 1/0; END IF; RETURN 1; END $f$"  # noqa: E501


def hidden(sql: str, around: Circumstance | None = None) -> dict[int, str]:
    def bodies(name: str) -> list[str]:
        return [CHOOSES] if name == "chooses" else []

    return hidden_inputs(read_scripts([Script("x.sql", sql)]).statements, bodies, around)


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("DO $$ BEGIN IF random() < 0.5 THEN RAISE EXCEPTION 'no'; END IF; END $$", "chance"),
        ("DO $$ DECLARE x float := random(); BEGIN WHILE x < 1 LOOP x := x + 1; END LOOP; END $$", "x,"),
        ("DO $$ DECLARE a float; b float; BEGIN a := random(); b := a; ASSERT b > 0; END $$", "b,"),
        ("DO $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM pg_stat_activity; IF n > 3 THEN NULL; END IF; END $$",
         "n,"),
        ("DO $$ BEGIN IF now() > '2027-01-01' THEN RAISE EXCEPTION 'late'; END IF; END $$", "clock"),
        ("DO $$ BEGIN EXECUTE format('CREATE TABLE p_%s (id int)', to_char(now(), 'YYYY')); END $$", "clock"),
        ("INSERT INTO t SELECT 1 WHERE now() > '2027-01-01'", "clock"),
        ("DO $$ BEGIN IF (SELECT reltuples FROM pg_class WHERE relname = 't') > 5 THEN NULL; END IF; END $$",
         "reltuples"),
        ("SELECT 1 / CASE WHEN pg_is_in_recovery() THEN 0 ELSE 1 END", "pg_is_in_recovery"),
        ("DO $$ BEGIN IF current_setting('max_connections')::int > 5 THEN NULL; END IF; END $$", "max_connections"),
        ("COPY t FROM '/tmp/x.csv'", "/tmp/x.csv"),
        ("COPY t FROM PROGRAM 'true'", "program"),
        ("SELECT pg_read_file('x')", "pg_read_file"),
        ("DO $$ BEGIN PERFORM dblink_exec('x', 'y'); END $$", "dblink_exec"),
        ("SELECT net.http_post('http://x')", "http_post"),
        ("SELECT chooses()", "chance"),
        ("DO $$ BEGIN PERFORM chooses(); END $$", "chance"),
    ],
)  # fmt: skip
def test_what_decides_and_is_not_known_is_told_with_its_line(sql, word):
    found = hidden(f"SELECT 1;\n{sql};")
    assert list(found) == [1]
    assert found[1].startswith("x.sql:2: ") and word in found[1]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADD COLUMN id uuid DEFAULT gen_random_uuid(), ADD COLUMN at timestamptz DEFAULT now()",
        "INSERT INTO t (id, at) VALUES (gen_random_uuid(), now())",
        "DELETE FROM t WHERE at < now() - interval '1 day'",
        "UPDATE t SET at = now() WHERE at IS NULL",
        CHOOSES,
        "CREATE VIEW v AS SELECT * FROM t WHERE at > now() - interval '1 day'",
        "CREATE POLICY p ON t USING (user_id = current_setting('request.jwt.claim.sub', true))",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'c') THEN NULL; END IF; END $$",
        "DO $$ BEGIN IF current_user = 'postgres' THEN NULL; END IF; END $$",
        "DO $$ BEGIN RAISE NOTICE 'at % by %', now(), pg_backend_pid(); END $$",
        "DO $$ BEGIN IF current_setting('server_version_num')::int > 150000 THEN NULL; END IF; END $$",
    ],
)
def test_what_decides_nothing_is_no_hidden_input(sql):
    assert hidden(sql) == {}


def test_another_version_or_locale_counts_where_it_decides():
    other = Circumstance(same_version=False, lacking_locale="de_DE.UTF-8", foreign_tables=frozenset(["far"]))
    branch = "DO $$ BEGIN IF current_setting('server_version_num')::int > 150000 THEN NULL; END IF; END $$"
    assert "version" in hidden(branch, other)[0]
    assert "de_DE" in hidden("CREATE TABLE o AS SELECT * FROM t ORDER BY name", other)[0]
    assert "far" in hidden("INSERT INTO t SELECT * FROM far", other)[0]
    assert hidden("CREATE TABLE u (id int)", other) == {}


def test_a_large_release_of_tables_policies_functions_and_checks_has_none():
    folder = Path(__file__).parents[4] / "apps" / "pulsecheck" / "releases" / "beta-optimization" / "deploy"
    statements = read_scripts(load_scripts(folder)).statements
    assert len(statements) > 10
    assert hidden_inputs(statements, lambda name: []) == {}

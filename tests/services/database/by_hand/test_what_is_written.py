"""The text of a script for an editor: it says no more than is true, and no name in it can become a statement."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.database.binaries import find_binaries
from services.database.by_hand.editor_script import Plan, editor_scripts
from services.database.by_hand.plan import plan_of
from services.database.by_hand.seen import seen_by_hand
from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.history.migrations import Listing
from services.database.rehearsal.rehearse import Rehearsal, rehearse
from services.database.rollback.roll_back import rollback
from services.database.script import Script
from services.database.verification import Query
from services.errors import Refused
from services.verdict import Verdict
from tests.campaign import only_in_full, sample
from tests.services.database.app_database import Owner, script
from tests.services.database.by_hand.test_editor_script import NOW

COLUMN = "ALTER TABLE public.users ADD COLUMN IF NOT EXISTS tier text;"
ODD = "x\nDELETE FROM public.users; --\u2028\u0085\r.sql"
_REHEARSED: dict[tuple[str, str], Rehearsal] = {}


def plan_for(app: Owner, sql: str, file: str = "change.sql", *, anew: bool = False, **more: Any) -> Plan:
    key = (sql, file)
    found = None if anew else _REHEARSED.get(key)
    if found is None:
        found = _REHEARSED[key] = rehearse(app.url, [Script(file, sql)], rows="all")
    document = {**found.to_json(), **more.pop("document", {})}
    given = {
        "release_id": "beta",
        "target": "prod",
        "plan_hash": "hash",
        "actor": "ann",
        "accept_loss": True,
        "scripts": [Script(file, sql)],
        "queries": (),
        **more,
    }
    return plan_of(document, found.before, found.after, given.pop("scripts"), given.pop("queries"), **given)


def run(app: Owner, sql: str) -> None:
    with connect(app.url) as editor:
        editor.execute(sql.encode())


def all_run(app: Owner, plan: Plan) -> None:
    for one in editor_scripts(plan, NOW):
        run(app, one.sql)


def query(sql: str) -> Query:
    return Query("010_rows", "010_rows.sql", sql, "the rows are right")


def test_no_name_ends_a_comment(app: Owner) -> None:
    sql = f"{COLUMN}\nCREATE INDEX CONCURRENTLY IF NOT EXISTS users_t ON users (tier);"
    plan = plan_for(app, sql, ODD, release_id=f"beta{ODD}", target=f"prod{ODD}", plan_hash="h\nDROP TABLE users;")
    plan = replace(plan, way_back=f"back{ODD}")
    all_run(app, plan)
    assert app.value("SELECT count(*) FROM users") == 40
    for one in editor_scripts(plan, NOW):
        assert not any(odd in line for line in one.sql.split("\n") for odd in "\u2028\u0085\r" if line.startswith("--"))
    assert app.value("SELECT release_id FROM ops.deploy_receipts") == f"beta{ODD}"


def test_a_client_that_goes_on_after_an_error_is_told_that_nothing_was_deployed(app: Owner, tmp_path: Path) -> None:
    (written,) = editor_scripts(replace(plan_for(app, COLUMN), role="somebody_else"), NOW)
    file = tmp_path / "change.sql"
    file.write_text(written.sql)
    psql = [str(find_binaries().bin / "psql"), "-X", "-f", str(file), app.url]
    done = subprocess.run(psql, capture_output=True, text=True, timeout=60)
    assert "NOT deployed" in done.stdout and "deployed and verified" not in done.stdout
    assert not app.exists("ops.deploy_receipts")
    assert "psql -v ON_ERROR_STOP=1 -f" in written.sql
    (written,) = editor_scripts(plan_for(app, COLUMN), NOW)
    file.write_text(written.sql)
    done = subprocess.run([*psql, "-v", "ON_ERROR_STOP=1"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "deployed and verified" in done.stdout


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT * FROM users; SELECT 1 WHERE false;", 40),
        ("SELECT 1 WHERE false; SELECT * FROM users LIMIT 3; SELECT 1", 4),
        ("UPDATE users SET email = 'x' WHERE false RETURNING 1; DELETE FROM users RETURNING 1", 40),
    ],
)
def test_every_statement_of_a_query_counts(app: Owner, sql: str, rows: int) -> None:
    with pytest.raises(psycopg.Error, match=f"010_rows found {rows} rows"):
        all_run(app, plan_for(app, COLUMN, queries=[query(sql)]))


def test_what_a_query_writes_without_returning_it_does_not_count(app: Owner) -> None:
    asked = query("CREATE TEMP TABLE mine AS SELECT 1; DELETE FROM users; SELECT * FROM users -- none")
    all_run(app, plan_for(app, COLUMN, queries=[asked]))
    assert app.value("SELECT count(*) FROM users") == 40


@pytest.mark.parametrize("sql", ["SELECT 1 AS one INTO more", "SHOW work_mem", "SELEC 1", "COPY users TO STDOUT"])
def test_a_query_that_no_block_can_ask_is_refused_when_writing(app: Owner, sql: str) -> None:
    with pytest.raises(Refused, match="010_rows"):
        plan_for(app, COLUMN, queries=[query(sql)])


def test_settings_are_in_force_in_later_files_and_gone_afterwards(app: Owner) -> None:
    app.run("CREATE SCHEMA app; CREATE TABLE app.t (id int); CREATE TABLE public.t (id int)")
    sql = """SET maintenance_work_mem = '32MB';
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_c ON users (created_at);
SET search_path = app;
INSERT INTO t VALUES (1);
RESET search_path;
VACUUM public.users;
SELECT 1 / (current_setting('maintenance_work_mem') = '32MB')::int;"""
    files = editor_scripts(plan_for(app, sql, anew=True), NOW)
    asked = b"SELECT current_setting('maintenance_work_mem'), current_setting('search_path')"
    with connect(app.url) as editor:
        before = editor.execute(asked).fetchone()
        for one in files:
            editor.execute(one.sql.encode())
            assert editor.execute(asked).fetchone() == before
    assert (app.value("SELECT count(*) FROM app.t"), app.value("SELECT count(*) FROM public.t")) == (1, 0)


@only_in_full
def test_a_search_path_set_in_one_file_is_set_in_the_next(app: Owner) -> None:
    app.run("CREATE SCHEMA app; CREATE TABLE app.t (id int); CREATE TABLE public.t (id int)")
    sql = "SET search_path = app;\nVACUUM public.users;\nINSERT INTO t VALUES (1);"
    with pytest.raises(Refused, match="search_path is set before it"):
        plan_for(app, sql, anew=True)
    statements = plan_for(app, sql.replace("VACUUM public.users;", "SELECT 1;"), anew=True).statements
    plan = plan_for(app, "VACUUM public.users;", anew=True)
    together = [statements[0], replace(plan.statements[0]), statements[2]]
    all_run(app, replace(plan, statements=together))
    assert (app.value("SELECT count(*) FROM app.t"), app.value("SELECT count(*) FROM public.t")) == (1, 0)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a; VACUUM users; INSERT INTO mine VALUES (1);", "temporary mine"),
        ("SET standard_conforming_strings = off; SELECT 'a';", "standard_conforming_strings"),
        ("SET backslash_quote = on; SELECT 'a';", "backslash_quote"),
        ("SELECT set_config('standard_conforming_strings', 'off', false);", "standard_conforming_strings"),
        ("SET client_encoding = 'LATIN1'; SELECT 'a';", "client_encoding"),
    ],
)
def test_what_files_cannot_carry_is_refused_when_writing(app: Owner, sql: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        plan_for(app, sql, document={"verdict": "pass"})


def test_the_head_of_a_dump_is_written(app: Owner) -> None:
    head = "SET statement_timeout = 0; SET lock_timeout = 0; SET client_encoding = 'UTF8';"
    head += "SET standard_conforming_strings = on; SET standard_conforming_strings = 1;"
    head += " SELECT pg_catalog.set_config('search_path', '', false);"
    (written,) = editor_scripts(plan_for(app, f"{head}\n{COLUMN}"), NOW)
    after = written.sql.split("SET lock_timeout = 0")[1]
    assert after.index("SET LOCAL lock_timeout = '100ms'") < after.index("ADD COLUMN")
    run(app, written.sql)
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.PASS


def test_reset_all_leaves_verification_its_search_path(app: Owner) -> None:
    app.run("CREATE SCHEMA app; CREATE TABLE app.mine (id int); GRANT ALL ON SCHEMA app TO PUBLIC")
    app.run(
        f"ALTER ROLE CURRENT_USER IN DATABASE {app.value('SELECT current_database()')} SET search_path = app, public"
    )
    try:
        asked = query("SELECT * FROM mine")
        all_run(app, plan_for(app, f"SET search_path = pg_catalog; RESET ALL; {COLUMN}", anew=True, queries=[asked]))
    finally:
        app.run(f"ALTER ROLE CURRENT_USER IN DATABASE {app.value('SELECT current_database()')} RESET search_path")


TAKES_ROWS = (
    "UPDATE users SET created_at = now() WHERE created_at IS NULL;",
    "ALTER TABLE journal_entries ALTER COLUMN extra TYPE text USING extra::text;",
    "DO $$ BEGIN UPDATE users SET created_at = created_at; END $$;",
    "INSERT INTO users (email) VALUES ('a') ON CONFLICT (email) DO UPDATE SET email = 'b';",
    "INSERT INTO users (email) VALUES ('a') ON CONFLICT DO NOTHING; DELETE FROM users WHERE email = 'a';",
)
TAKES_NONE = (
    f"{COLUMN} CREATE TABLE IF NOT EXISTS n (id int); INSERT INTO n VALUES (1); UPDATE n SET id = 2;",
    "INSERT INTO users (email) VALUES ('a') ON CONFLICT DO NOTHING;",
    "CREATE INDEX IF NOT EXISTS users_c ON users (created_at);",
)


@pytest.mark.parametrize("sql", sample(TAKES_ROWS, 2, seed=5))
def test_rows_that_our_deploy_would_keep_ask_for_acceptance(app: Owner, sql: str) -> None:
    with pytest.raises(Refused, match=r"(changes rows or columns of|destroys what stands in) public\.(users|journ)"):
        plan_for(app, sql, accept_loss=False)
    assert plan_for(app, sql)


@pytest.mark.parametrize("sql", sample(TAKES_NONE, 1, seed=5))
def test_rows_of_its_own_and_new_ones_ask_for_nothing(app: Owner, sql: str) -> None:
    assert plan_for(app, sql, accept_loss=False)


def test_a_long_wait_of_writers_has_to_be_accepted(app: Owner) -> None:
    told = rehearse(app.url, script(COLUMN), rows="all").to_json()["statements"]
    slow = {"statements": [{**one, "stall_ms": 900.0} for one in told]}
    with pytest.raises(Refused, match="waiting for about 900 ms"):
        plan_for(app, COLUMN, document=slow)
    assert plan_for(app, COLUMN, document=slow, accept_stall_ms=900.0)


def test_what_was_not_rehearsed_is_not_written(app: Owner) -> None:
    for other in (f"{COLUMN} SELECT 1;", COLUMN.replace("tier", "tears")):
        with pytest.raises(Refused, match="is not what was rehearsed"):
            plan_for(app, COLUMN, scripts=script(other))


def test_of_several_statements_on_a_line_only_those_stand_alone_that_must(app: Owner) -> None:
    sql = "INSERT INTO users (email) VALUES ('a') ON CONFLICT DO NOTHING; VACUUM users; ANALYZE users;"
    assert [one.apart for one in plan_for(app, sql).statements] == [False, True, False]


def test_it_is_run_as_it_was_rehearsed(app: Owner) -> None:
    assert plan_for(app, COLUMN, document={"shadow": {"runs_as": "owner"}}).role == "owner"
    assert plan_for(app, COLUMN, document={"shadow": None}).role == "postgres"


def test_what_cannot_be_locked_before_is_left_to_its_statement(app: Owner) -> None:
    app.run('CREATE SCHEMA "a.b$ops$"; CREATE TABLE "a.b$ops$"."c$ops0$" (id int)')
    app.run("CREATE MATERIALIZED VIEW mv AS SELECT * FROM users; CREATE SCHEMA other")
    sql = """DROP MATERIALIZED VIEW IF EXISTS mv;
ALTER TABLE IF EXISTS journal_entries RENAME TO entries;
ALTER TABLE IF EXISTS entries ADD COLUMN IF NOT EXISTS more int;
ALTER TABLE "a.b$ops$"."c$ops0$" ADD COLUMN IF NOT EXISTS more int;"""
    plan = plan_for(app, sql, anew=True)
    assert any("a.b$ops$.c$ops0$" in one.locks for one in plan.statements)
    all_run(app, plan)
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.PASS


def test_a_table_that_the_role_may_only_refer_to_is_no_hindrance(app: Owner) -> None:
    plan = plan_for(app, COLUMN)
    strong = [replace(one, locks={"pg_catalog.pg_authid": "ShareRowExclusiveLock"}) for one in plan.statements]
    all_run(app, replace(plan, statements=strong))
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        pytest.param("version text PRIMARY KEY", ("20260115123001",), marks=only_in_full),
        pytest.param("name text, version text PRIMARY KEY", ("beta", "20260115123001"), marks=only_in_full),
        pytest.param(
            "version text PRIMARY KEY, statements text[], name text",
            ("20260115123001", ["SELECT 1"], "beta"),
            marks=only_in_full,
        ),
        ("version text NOT NULL", ("20260115123001",)),
    ],
)
def test_the_list_of_migrations_may_lack_columns_and_have_the_version(
    app: Owner, columns: str, row: Sequence[object]
) -> None:
    app.run(f"CREATE SCHEMA supabase_migrations; CREATE TABLE supabase_migrations.schema_migrations ({columns})")
    app.run("INSERT INTO supabase_migrations.schema_migrations (version) VALUES ('20260115123000')")
    ours = Listing("20260115123000", "beta", ("SELECT 1;",), ours=True)
    all_run(app, plan_for(app, COLUMN, anew=True, listings=[ours]))
    assert tuple(app.run("SELECT * FROM supabase_migrations.schema_migrations ORDER BY version")[1]) == tuple(row)
    assert app.value("SELECT listed FROM ops.deploy_receipts") == ["20260115123001"]
    again = COLUMN.replace("tier", "more")
    with pytest.raises(psycopg.Error, match="lists the version 20260115123000 already"):
        all_run(app, plan_for(app, again, anew=True, listings=[replace(ours, ours=False)]))


def test_somebody_elses_schema_ops_is_left_alone(app: Owner) -> None:
    plan = plan_for(app, COLUMN)
    app.run("CREATE SCHEMA ops; CREATE TABLE ops.deploy_receipts (id int)")
    with pytest.raises(psycopg.Error, match="schema named ops that was not made by the release cockpit"):
        all_run(app, plan)
    assert not app.run("SELECT * FROM ops.deploy_receipts")


def test_a_deploy_of_ours_is_not_called_one_by_hand_and_one_that_was_begun_is_superseded(app: Owner) -> None:
    assert deploy(app.url, script(COLUMN), release_id="beta", plan_hash="hash", actor="ann").applied
    seen = seen_by_hand(app.url, "beta", "hash")
    assert seen.verdict is Verdict.PASS and "from here, not by hand" in seen.summary
    app.run("UPDATE ops.deploy_receipts SET state = 'begun'")
    assert "from here stopped half-way" in seen_by_hand(app.url, "beta", "hash").summary
    all_run(app, plan_for(app, COLUMN.replace("tier", "more"), anew=True))
    assert app.run("SELECT state FROM ops.deploy_receipts ORDER BY deployed_at") == [("superseded",), ("done",)]
    assert "Deployed by hand" in seen_by_hand(app.url, "beta", "hash").summary


def test_the_receipt_keeps_the_way_back_and_it_leads_back(app: Owner) -> None:
    before = app.fingerprint()
    plan = plan_for(app, f"{COLUMN}\nCREATE TABLE IF NOT EXISTS n (id int DEFAULT '1');\nVACUUM users;")
    assert "Way back: `rollback`" in plan.way_back
    all_run(app, plan)
    done = rollback(app.url, "beta", (), actor="ann")
    assert done.fingerprint_restored and app.fingerprint() == before


def test_where_there_is_no_way_back_it_is_told_before(app: Owner) -> None:
    plan = plan_for(app, COLUMN, document={"inverse": {"sql": "", "rehearsed": "pass", "not_restored": [], "rows": []}})
    assert plan.inverse is None and "only a backup" in editor_scripts(plan, NOW)[0].sql
    assert "own rollback scripts" in plan_for(app, COLUMN, document={"inverse": None}).way_back

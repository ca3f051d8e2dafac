"""Statements outside any transaction: parts in order, intent and done; what is half-done is finished or dropped."""

from __future__ import annotations

import threading
import time

import pytest

from services.database.connect import connect
from services.database.deployment.deploy import Limits, deploy, outcome
from services.database.deployment.parts import known_apart, parts_of
from services.database.deployment.receipts import find_receipt
from services.database.script import read_scripts
from services.database.verification import Query
from services.errors import Refused
from services.verdict import Verdict
from tests.services.database.app_database import Listener, Owner, script

CHANGE = """CREATE TABLE logs (id int);
CREATE INDEX CONCURRENTLY by_user ON journal_entries (user_id);
INSERT INTO logs VALUES (1);
"""


def run(app: Owner, sql: str, queries=(), **more):
    given = {"release_id": "beta", "plan_hash": "h", "actor": "ann", "job_id": "job-1", **more}
    return deploy(app.url, script(sql), queries, **given)


def valid(app: Owner, index: str) -> bool | None:
    rows = app.run(f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{index}')")
    return rows[0][0] if rows else None


def make_invalid(app: Owner, sql: str) -> None:
    """Break a concurrent build off in its last phase, as a crash does: an old reader makes it wait, and it is ended."""
    with connect(app.url) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        with connect(app.url) as builder, pytest.raises(Exception, match="timeout"):
            builder.execute("SET statement_timeout = '300ms'")
            builder.execute(sql)
        reader.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("sql", "apart"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", True),
        ("CREATE INDEX i ON t (a)", False),
        ("DROP INDEX CONCURRENTLY i", True),
        ("REINDEX TABLE CONCURRENTLY t", True),
        ("REINDEX TABLE t", False),
        ("REINDEX SCHEMA public", True),
        ("ALTER TABLE p DETACH PARTITION c CONCURRENTLY", True),
        ("ALTER TABLE p DETACH PARTITION c", False),
        ("VACUUM t", True),
        ("ANALYZE t", False),
        ("DISCARD ALL", True),
        ("DISCARD TEMP", False),
        ("ALTER SYSTEM SET work_mem = '8MB'", True),
    ],
)
def test_which_forms_stand_apart(sql: str, apart: bool):
    assert bool(known_apart(read_scripts(script(sql)).statements)) is apart


def test_parts_begin_and_end_with_a_transaction():
    statements = read_scripts(script("VACUUM a; SELECT 1; SELECT 2; VACUUM b; VACUUM c;")).statements
    parts = parts_of(statements, known_apart(statements))
    assert [(part.apart, len(part.statements)) for part in parts] == [
        (False, 0), (True, 1), (False, 2), (True, 1), (True, 1), (False, 0),
    ]  # fmt: skip


def test_an_index_is_built_between_two_transactions(app: Owner):
    heard = Listener()
    done = run(app, CHANGE, [Query("q", "q.sql", "SELECT 1 FROM logs WHERE id <> 1", "")], emit=heard)
    receipt = find_receipt(app.url, "beta")
    assert (done.verdict, done.applied, done.state, done.parts) == (Verdict.PASS, True, "done", (3, 3))
    assert [ran.line for ran in done.statements] == [1, 2, 3]
    assert valid(app, "by_user") is True
    assert (receipt.state, receipt.statements, receipt.after) == ("done", 3, app.fingerprint())
    assert app.run("SELECT seq, kind, done_at IS NOT NULL FROM ops.deploy_steps ORDER BY 1") == [
        (0, "together", True), (1, "apart", True), (2, "together", True),
    ]  # fmt: skip


def test_a_build_that_fails_leaves_no_invalid_index_and_one_action_goes_on(app: Owner):
    app.run("INSERT INTO users (email) VALUES ('a'), ('b')")
    sql = "CREATE TABLE logs (id int);\nCREATE UNIQUE INDEX CONCURRENTLY one ON users (length(email));\nSELECT 1;\n"
    stopped = run(app, sql)
    assert (stopped.verdict, stopped.applied, stopped.state, stopped.parts) == (Verdict.FAIL, False, "begun", (1, 3))
    assert (stopped.failure.line, stopped.failure.sqlstate) == (2, "23505")
    assert "1 of 3 parts are in" in stopped.summary
    assert valid(app, "one") is None
    assert outcome(app.url, "job-1") == "begun"
    app.run("DELETE FROM users")
    again = run(app, sql, job_id="job-2")
    assert (again.applied, again.state, [ran.line for ran in again.statements]) == (True, "done", [2, 3])
    assert valid(app, "one") is True
    assert (outcome(app.url, "job-2"), app.value("SELECT count(*) FROM ops.deploy_receipts")) == ("applied", 1)


def test_a_change_in_between_stops_the_resumed_deploy_and_is_named(app: Owner):
    app.run("INSERT INTO users (email) VALUES ('a'), ('b')")
    sql = "SELECT 1;\nCREATE UNIQUE INDEX CONCURRENTLY one ON users (length(email));\nALTER TABLE users ADD n int;\n"
    assert run(app, sql).state == "begun"
    app.run("DELETE FROM users; ALTER TABLE users ADD COLUMN sneaked_in int")
    app.run("DELETE FROM ops.deploy_steps WHERE seq = 1")
    with pytest.raises(Refused, match=r"column public\.users\.sneaked_in"):
        run(app, sql)
    assert valid(app, "one") is None
    anew = run(app, sql, expected_fingerprint=app.fingerprint())
    assert (anew.state, anew.parts) == ("done", (3, 3))
    receipts = app.run("SELECT job_id, state FROM ops.deploy_receipts ORDER BY 1")
    assert receipts == [("job-1", "done"), (f"job-1 before {anew.receipt_id}", "superseded")]


def test_an_invalid_namesake_is_not_taken_for_the_index(app: Owner):
    make_invalid(app, "CREATE INDEX CONCURRENTLY by_user ON journal_entries (user_id)")
    assert valid(app, "by_user") is False
    done = run(app, "CREATE INDEX CONCURRENTLY IF NOT EXISTS by_user ON journal_entries (user_id);")
    assert (done.applied, valid(app, "by_user")) == (True, True)


@pytest.mark.parametrize("name", ["by_user ", ""])
def test_an_index_that_was_built_before_the_client_died_is_not_built_twice(app: Owner, name: str):
    sql = CHANGE.replace("by_user ", name).replace("INSERT", "INSERT INTO nowhere VALUES (1); INSERT")
    indexes = "SELECT indexrelid FROM pg_index WHERE indrelid = 'journal_entries'::regclass ORDER BY 1"
    assert run(app, sql).parts == (2, 3)
    app.run("UPDATE ops.deploy_steps SET done_at = NULL, facts_after = NULL WHERE seq = 1")
    before = app.run(indexes)
    assert run(app, sql).parts == (2, 3)
    assert app.run(indexes) == before


def test_what_a_client_left_that_died_in_the_build_is_dropped_and_built_anew(app: Owner):
    made = CHANGE.replace("by_user ", "")  # the server names it
    assert run(app, made.replace("(user_id)", "(nothing)")).parts == (1, 3)
    app.run("UPDATE ops.deploy_receipts SET plan_hash = 'h2'")
    app.run("DELETE FROM ops.deploy_steps WHERE seq = 1")
    app.run(
        "INSERT INTO ops.deploy_steps (receipt_id, seq, kind, digest, intended_at, detail) SELECT id, 1, 'apart', 'd',"
        " now(), jsonb_build_object('of_table', ARRAY(SELECT indexrelid::bigint FROM pg_index"
        " WHERE indrelid = 'journal_entries'::regclass), 'invalid', '[]'::jsonb) FROM ops.deploy_receipts"
    )
    make_invalid(app, "CREATE INDEX CONCURRENTLY ON journal_entries (user_id)")
    done = run(app, made, plan_hash="h2")
    assert done.state == "done"
    indexes = app.run("SELECT indisvalid FROM pg_index WHERE indrelid = 'journal_entries'::regclass")
    assert indexes == [(True,), (True,)]


def test_what_a_rebuild_left_of_a_toast_table_stops_nothing_and_is_told(app: Owner):
    """Its owner may not even name such an index, unless the role may look into every schema."""
    app.run("GRANT CREATE ON SCHEMA public TO anon; ALTER TABLE journal_entries OWNER TO anon")
    sql = "SET ROLE anon;\nREINDEX TABLE CONCURRENTLY journal_entries;\nRESET ROLE;"
    heard = Listener()
    with connect(app.url) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        stopped = run(app, sql, emit=heard, limits=Limits(statement_timeout_s=0.5))
        reader.execute("ROLLBACK")
    assert (stopped.failure.sqlstate, stopped.state) == ("57014", "begun")
    told = [notice["message"] for notice in heard.of("notice")]
    left = [row[0] for row in app.run("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")]
    assert all(name.startswith("pg_toast.") for name in left) and len(left) == 1
    schema, _, index = left[0].partition(".")
    assert told[0].startswith(f"The invalid index {left[0]} stays: no query uses it")
    assert f'only a superuser may drop it, with DROP INDEX CONCURRENTLY "{schema}"."{index}";' in told[0]
    assert "the owner gets rid of it with VACUUM FULL public.journal_entries;" in told[0]
    assert run(app, sql).applied
    app.run("VACUUM FULL public.journal_entries")
    assert app.run("SELECT FROM pg_index WHERE NOT indisvalid") == []


def test_a_detaching_that_was_broken_off_is_finalized(app: Owner):
    app.run(
        "CREATE TABLE part (n int) PARTITION BY LIST (n); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);"
        "CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2)"
    )
    with connect(app.url) as reader:
        reader.execute("BEGIN; SELECT * FROM part")
        stopped = run(
            app, "ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY;", limits=Limits(attempts=2, pause_s=0.1)
        )
        reader.execute("ROLLBACK")
    assert (stopped.state, stopped.failure.failure_class.id) == ("begun", "lock-timeout")
    assert [blocker.application for blocker in stopped.blockers] == ["release-cockpit"]
    assert app.value("SELECT bool_or(inhdetachpending) FROM pg_inherits")
    assert run(app, "ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY;").state == "done"
    assert app.run("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'part'::regclass") == [
        ("part_2",)
    ]


def test_what_only_the_server_knows_to_stand_apart_is_found_by_asking_it(app: Owner):
    app.run("CREATE TABLE part (n int PRIMARY KEY) PARTITION BY LIST (n)")
    done = run(app, "CREATE TABLE logs (id int);\nREINDEX TABLE part;\nINSERT INTO logs VALUES (1);")
    assert (done.state, done.parts, app.value("SELECT count(*) FROM logs")) == ("done", (3, 3), 1)


def test_settings_of_the_script_reach_into_the_parts_that_are_resumed(app: Owner):
    app.run(
        "CREATE SCHEMA inner_one; CREATE TABLE inner_one.things (id int); INSERT INTO inner_one.things VALUES (1), (1)"
    )
    index = "CREATE UNIQUE INDEX CONCURRENTLY one ON things (id)"
    sql = f"SET search_path = inner_one;\n{index};\nCREATE TABLE more (id int);"
    assert run(app, sql).parts == (1, 3)
    app.run("TRUNCATE inner_one.things")
    assert run(app, sql).state == "done"
    assert app.exists("inner_one.more")


def test_stopping_between_parts_says_how_far_it_is(app: Owner):
    stop = threading.Event()
    heard = Listener(at=lambda kind, payload: stop.set() if payload.get("name") == "apart" else None)
    with connect(app.url) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        started = time.monotonic()
        done = run(app, CHANGE, emit=heard, cancelled=stop.is_set)
        assert time.monotonic() - started < 4
        reader.execute("ROLLBACK")
    assert (done.state, done.parts, "Stopped" in done.summary) == ("begun", (1, 3), True)
    assert run(app, CHANGE).state == "done"
    assert valid(app, "by_user") is True


@pytest.mark.parametrize(
    "step",
    [
        "CREATE INDEX CONCURRENTLY i ON journal_entries (nowhere(content));",
        "CREATE INDEX CONCURRENTLY i ON nowhere (n);",
        "CREATE INDEX CONCURRENTLY users_pkey ON journal_entries (user_id);",
        "REINDEX TABLE CONCURRENTLY nowhere;",
        "VACUUM nowhere;",
        "DROP INDEX CONCURRENTLY nowhere;",
        "ALTER TABLE parts DETACH PARTITION users CONCURRENTLY;",
        "CREATE DATABASE template1;",
    ],
)
def test_what_the_server_refused_is_refused_again_and_never_taken_for_done(app: Owner, step: str):
    app.run("CREATE TABLE parts (id int) PARTITION BY LIST (id)")
    sql = f"CREATE TABLE logs (id int);\n{step}\nCREATE TABLE notes (id int);"
    first, again = run(app, sql), run(app, sql)
    assert (first.applied, first.failure.line) == (False, 2)
    assert (again.applied, again.failure.line, again.failure.message) == (False, 2, first.failure.message)
    assert not app.exists("notes")

"""A deploy: wholly or not at all, verified before COMMIT, proved by its receipt, and stopped when asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psycopg
import pytest

from services.database.change_lock import require_lock
from services.database.connect import connect
from services.database.deployment import together
from services.database.deployment.deploy import Limits, deploy, outcome
from services.database.deployment.receipts import application_name, find_receipt, remove_all
from services.database.execution import Stopped
from services.database.rollback.roll_back import rollback
from services.database.script import Script
from services.database.snapshots.kept import kept_in
from services.database.verification import Query
from services.errors import NotUnderstood, Refused
from services.verdict import Verdict
from tests.services.database.app_database import Listener, Owner, script

GOOD = "CREATE TABLE logs (id int);\nDO $$ BEGIN RAISE NOTICE 'made'; END $$;\nINSERT INTO logs VALUES (1);\n"
QUICK = Limits(attempts=4, pause_s=0.1)


def run(app: Owner, sql: str, queries=(), **more):
    given = {"release_id": "beta", "plan_hash": "h", "actor": "ann", "job_id": "job-1", **more}
    return deploy(app.url, script(sql), queries, **given)


def query(sql: str) -> Query:
    return Query("q", "q.sql", sql, "all is well")


def test_a_good_deploy_applies_all_and_leaves_a_receipt(app: Owner):
    before = app.fingerprint()
    done = run(app, GOOD, [query("SELECT * FROM logs WHERE id <> 1")])
    receipt = find_receipt(app.url, "beta")
    assert (done.verdict, done.applied, done.notices) == (Verdict.PASS, True, ("made",))
    assert [(ran.line, ran.sql.split()[0]) for ran in done.statements] == [(1, "CREATE"), (2, "DO"), (3, "INSERT")]
    assert receipt is not None
    assert (receipt.id, receipt.actor, receipt.job_id, receipt.statements) == (done.receipt_id, "ann", "job-1", 3)
    assert (receipt.before, receipt.after) == (before, app.fingerprint())
    assert app.value("SELECT count(*) FROM logs") == 1


def test_a_failing_statement_leaves_nothing(app: Owner):
    before = app.fingerprint()
    done = run(app, GOOD + "SELECT 1 / 0;\n")
    assert (done.verdict, done.applied, done.failure.line, done.failure.sqlstate) == (Verdict.FAIL, False, 4, "22012")
    assert app.fingerprint() == before
    assert find_receipt(app.url, "beta") is None


def test_verification_that_finds_rows_leaves_nothing(app: Owner):
    before = app.fingerprint()
    done = run(app, GOOD, [query("SELECT id, 'wrong' AS why FROM logs")])
    assert (done.verdict, done.applied) == (Verdict.FAIL, False)
    assert (done.verification.queries[0].rows, done.verification.queries[0].sample) == (1, (("1", "wrong"),))
    assert app.fingerprint() == before
    assert not app.exists("ops.deploy_receipts")


def test_verification_that_takes_too_long_is_unknown_and_leaves_nothing(app: Owner):
    done = run(app, GOOD, [query("SELECT pg_sleep(5) WHERE false OR true")], limits=Limits(query_timeout_s=0.2))
    assert (done.verdict, done.applied, app.exists("logs")) == (Verdict.UNKNOWN, False, False)


def test_what_a_verification_query_writes_does_not_last(app: Owner):
    probe = "INSERT INTO logs VALUES (2); SELECT 1 FROM logs WHERE id = 3"
    assert run(app, GOOD, [query(probe)]).verdict is Verdict.PASS
    assert app.value("SELECT count(*) FROM logs") == 1


def test_verification_sees_the_database_as_a_fresh_session_does(app: Owner):
    sql = "CREATE SCHEMA hidden; CREATE TABLE hidden.things (id int); SET search_path = hidden;"
    done = run(app, sql, [query("SELECT 1 WHERE to_regclass('things') IS NOT NULL")])
    assert (done.verdict, done.applied) == (Verdict.PASS, True)


def test_a_script_that_ends_as_another_role_still_gets_its_receipt(app: Owner):
    assert run(app, "GRANT SELECT ON users TO anon; SET ROLE anon;").receipt_id


def test_a_failure_at_commit_has_no_line(app: Owner):
    sql = (
        "CREATE TABLE child (u uuid REFERENCES users DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO child VALUES (gen_random_uuid());"
    )
    done = run(app, sql)
    assert (done.failure.line, done.failure.sqlstate, done.applied) == (None, "23503", False)
    assert not app.exists("child")


def test_times_are_read_however_the_server_writes_them(app: Owner):
    name = app.value("SELECT quote_ident(current_database())")
    app.run(f"ALTER DATABASE {name} SET DateStyle = 'SQL, DMY'")
    assert run(app, "DROP TABLE journal_entries CASCADE;", keep_inverse=True).applied
    assert find_receipt(app.url, "beta").deployed_at.tzinfo is not None
    assert [one.tables for one in kept_in(app.url)] == [("public.journal_entries",)]
    assert rollback(app.url, "beta", (), actor="ann").verdict is Verdict.PASS


def test_the_same_job_twice_changes_once(app: Owner):
    sql = "CREATE TABLE IF NOT EXISTS logs (id int); INSERT INTO logs VALUES (1)"
    first, second = run(app, sql), run(app, sql)
    assert (second.applied, second.receipt_id) == (True, first.receipt_id)
    assert app.value("SELECT count(*) FROM logs") == 1


def test_drift_since_the_rehearsal_stops_it_and_is_named(app: Owner):
    rehearsed = app.fingerprint()
    app.run("ALTER TABLE users ADD COLUMN sneaked_in int")
    with pytest.raises(Refused, match=r"column public\.users\.sneaked_in"):
        run(app, GOOD, expected_fingerprint=rehearsed)
    with pytest.raises(Refused, match="not the one that was rehearsed"):
        run(app, GOOD, expected_fingerprint=rehearsed.digest)
    assert not app.exists("logs")


def test_the_rehearsed_catalog_is_let_through(app: Owner):
    assert run(app, GOOD, expected_fingerprint=app.fingerprint().digest).applied


def test_a_second_deploy_at_the_same_time_is_refused_and_names_the_first(app: Owner):
    with connect(app.url, application_name=application_name("other-job")) as other:
        require_lock(other)
        with pytest.raises(Refused, match="other-job"):
            run(app, GOOD)
    assert not app.exists("logs")


def test_a_held_lock_is_retried_and_then_told(app: Owner, blocker: psycopg.Connection):
    blocker.execute("LOCK TABLE users IN ACCESS SHARE MODE")
    heard = Listener()
    done = run(app, "SELECT 1;\nALTER TABLE users ADD COLUMN x int;", emit=heard, limits=QUICK)
    assert (done.verdict, done.applied, done.failure.line) == (Verdict.FAIL, False, 2)
    assert (done.failure.failure_class.id, len(heard.of("retry"))) == ("lock-timeout", QUICK.attempts - 1)


def test_a_lock_that_is_let_go_lets_the_deploy_through(app: Owner, blocker: psycopg.Connection):
    blocker.execute("LOCK TABLE users IN ACCESS SHARE MODE")
    heard = Listener(at=lambda kind, _: blocker.execute("ROLLBACK; BEGIN") if kind == "retry" else None)
    done = run(app, "ALTER TABLE users ADD COLUMN x int;", emit=heard)
    assert (done.applied, done.retries) == (True, 1)


def test_a_waiting_deploy_keeps_no_writer_waiting_for_long(app: Owner, blocker: psycopg.Connection):
    blocker.execute("LOCK TABLE users IN ACCESS SHARE MODE")
    stalls: list[float] = []
    stop = threading.Event()

    def write() -> None:
        with connect(app.url) as writer:
            while not stop.is_set():
                started = time.monotonic()
                writer.execute("UPDATE users SET created_at = created_at WHERE email = 'person1@example.com'")
                stalls.append(time.monotonic() - started)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        run(app, "ALTER TABLE users ADD COLUMN x int;", limits=QUICK)
    finally:
        stop.set()
        thread.join()
    assert len(stalls) > 10
    assert max(stalls) < 0.4  # 100 ms of waiting in the lock queue, and a slow machine


def test_notices_and_a_long_statement_are_told_while_it_runs(app: Owner):
    heard = Listener()
    run(app, "DO $$ BEGIN RAISE NOTICE 'early'; PERFORM pg_sleep(0.6); RAISE NOTICE 'late'; END $$;", emit=heard)
    order = [p.get("message") or p.get("state") for kind, p in heard.events if kind in ("notice", "statement")]
    assert order == ["early", "running", "late", "done"]


def test_cancel_ends_a_running_statement_and_leaves_nothing(app: Owner):
    started = time.monotonic()
    with pytest.raises(Stopped):
        run(app, "CREATE TABLE logs (id int); SELECT pg_sleep(30);", cancelled=lambda: time.monotonic() - started > 0.5)
    assert time.monotonic() - started < 3
    assert not app.exists("logs")
    assert outcome(app.url, "job-1") == "not-applied"


def test_a_session_ended_by_the_server_is_told_by_the_receipt(app: Owner):
    def end_session(kind: str, payload: dict) -> None:
        if kind == "statement" and payload["index"] == 2:
            app.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE application_name = '{application_name('job-1')}'"
            )

    done = run(app, GOOD, emit=Listener(at=end_session))
    assert (done.verdict, done.applied, app.exists("logs")) == (Verdict.FAIL, False, False)


def test_a_session_ended_just_after_commit_is_applied(app: Owner, monkeypatch):
    """The server commits, and the answer never comes: here the connection is cut right behind COMMIT."""
    real = together.run_sql

    def run_sql(conn, sql, **more):
        result = real(conn, sql, **more)
        if sql == "COMMIT":
            conn.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return result

    monkeypatch.setattr(together, "run_sql", run_sql)
    done = run(app, GOOD)
    assert (done.verdict, done.applied, done.receipt_id is not None) == (Verdict.PASS, True, True)
    assert app.exists("logs")


_CHILD = """
import sys
from services.database.deployment.deploy import deploy
from services.database.script import Script
sql = "CREATE TABLE logs (id int); INSERT INTO logs VALUES (1); SELECT pg_sleep(20);"
def emit(kind, payload):
    if kind == "statement" and payload["index"] == 3:
        print("running", flush=True)
deploy(sys.argv[1], [Script("x.sql", sql)], release_id="beta", plan_hash="h", actor="ann", job_id="killed", emit=emit)
"""


def test_kill_9_in_mid_deploy_leaves_nothing_and_the_job_can_go_on(app: Owner):
    child = subprocess.Popen([sys.executable, "-c", _CHILD, app.url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "running\n"
    assert outcome(app.url, "killed") == "in-progress"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    until = time.monotonic() + 5
    while outcome(app.url, "killed") == "in-progress" and time.monotonic() < until:
        time.sleep(0.05)
    assert outcome(app.url, "killed") == "not-applied"
    assert not app.exists("logs")
    assert run(app, GOOD, job_id="killed").applied
    assert outcome(app.url, "killed") == "applied"


def test_strangers_hold_no_right_on_our_schema(app: Owner):
    app.run("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon, authenticated, service_role, PUBLIC")
    app.run("ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO anon, PUBLIC")
    run(app, GOOD)
    rights = app.value(
        "SELECT count(*) FROM pg_class c, unnest(ARRAY['anon', 'authenticated', 'service_role']) r"
        " WHERE relnamespace = 'ops'::regnamespace AND relkind = 'r'"
        " AND (has_table_privilege(r, c.oid, 'SELECT') OR has_schema_privilege(r, 'ops', 'USAGE'))"
    )
    assert rights == 0


def test_a_schema_ops_of_somebody_else_is_left_alone(app: Owner):
    app.run("CREATE SCHEMA ops; CREATE TABLE ops.theirs (id int)")
    with pytest.raises(Refused, match="not made by this product"):
        run(app, GOOD)
    with pytest.raises(Refused, match="not made by this product"):
        remove_all(app.url)
    assert app.exists("ops.theirs")
    assert not app.exists("logs")


def test_one_command_removes_all_that_is_ours(app: Owner):
    before = app.fingerprint()
    run(app, "SELECT 1;")
    assert (remove_all(app.url), remove_all(app.url)) == (True, False)
    assert not app.exists("ops.deploy_receipts")
    assert app.fingerprint() == before


def test_scripts_that_no_server_can_run_are_refused_before_anything(app: Owner):
    with pytest.raises(NotUnderstood, match=r"x\.sql:2"):
        deploy(app.url, [Script("x.sql", "SELECT 1;\n\\i other.sql\n")], release_id="r", plan_hash="", actor="a")
    with pytest.raises(NotUnderstood, match="no statement"):
        deploy(app.url, [Script("x.sql", "-- nothing\n")], release_id="r", plan_hash="", actor="a")
    with pytest.raises(NotUnderstood, match="begins or ends a transaction"):
        run(app, GOOD, [query("COMMIT; SELECT 1 WHERE false")])
    assert not app.exists("logs")

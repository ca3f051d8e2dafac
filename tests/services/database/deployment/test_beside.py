"""What is told of a deploy while it runs: who blocks it, without a value of theirs, and how far a long command is."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from services.database.connect import connect
from services.database.deployment.blockers import BLOCKERS_SQL, Blocker, without_values
from services.database.deployment.deploy import Limits, deploy
from services.database.deployment.receipts import application_name
from services.database.execution import Stopped
from tests.services.database.app_database import Listener, Owner, script

QUICK = Limits(attempts=2, pause_s=0.1)


def run(app: Owner, sql: str, **more):
    given = {"release_id": "beta", "plan_hash": "h", "actor": "ann", "job_id": "job-1", **more}
    return deploy(app.url, script(sql), (), **given)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT * FROM t WHERE mail = 'ann@example.com' AND n = 12.5", "SELECT * FROM t WHERE mail = ? AND n = ?"),
        ('UPDATE "My t2" SET c = $1 -- ann\n', 'UPDATE "My t2" SET c = $?'),
        ("DO $x$ secret $x$", "DO ?"),
        ("SELECT E'it\\'s' || U&'x', t1.c2 FROM t1 /* ann */", "SELECT ? || U&?, t1.c2 FROM t1"),
        ("SELECT 'cut off in the midd", "SELECT ?"),
        ('SELECT "cut off', "SELECT ?"),
    ],
)
def test_a_query_is_told_without_its_values(query: str, told: str):
    assert without_values(query) == told


def test_who_looks_is_never_named(app: Owner):
    with connect(app.url) as looker, connect(app.url) as reader, connect(app.url) as working:
        for conn in (looker, reader):
            conn.execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE")
        waits = threading.Thread(target=working.execute, args=("LOCK TABLE users; ROLLBACK",))
        working.execute("BEGIN")
        reading = reader.info.backend_pid
        waits.start()
        wanted = BLOCKERS_SQL.format(pid=working.info.backend_pid)
        until = time.monotonic() + 10
        while not (rows := looker.execute(wanted).fetchall()) and time.monotonic() < until:
            time.sleep(0.02)
        looker.execute("ROLLBACK")
        reader.execute("ROLLBACK")
        waits.join()
    assert [row[0] for row in rows] == [reading]


def test_who_blocks_is_named_within_a_second_and_in_the_result(app: Owner):
    heard = Listener()
    with connect(app.url, application_name="report") as reader:
        reader.execute("BEGIN; SELECT * FROM users WHERE email = 'person1@example.com'")
        started = time.monotonic()
        named: list[float] = []
        heard = Listener(at=lambda kind, _: named.append(time.monotonic() - started) if kind == "blocker" else None)
        done = run(app, "SELECT 1;\nALTER TABLE users ADD COLUMN x int;", emit=heard, limits=QUICK)
        pid = reader.info.backend_pid
    told = heard.of("blocker")[0]
    assert min(named) < 1
    assert (told["pid"], told["application"], told["mode"], told["relation"], told["line"]) == (
        pid, "report", "AccessShareLock", "public.users", 2,
    )  # fmt: skip
    assert (told["query"], told["state"]) == ("BEGIN; SELECT * FROM users WHERE email = ?", "idle in transaction")
    assert told["age_s"] is not None
    assert len(heard.of("blocker")) == QUICK.attempts
    assert f"kept waiting by process {pid}" in done.summary
    assert [blocker.pid for blocker in done.blockers] == [pid]
    assert "person1" not in str(heard.events)


def test_a_prepared_transaction_is_told_as_one():
    sentence = Blocker.of(["0", None, None, None, None, None, "RowExclusiveLock", "public.users"]).sentence()
    assert sentence == "a prepared transaction holds RowExclusiveLock on public.users"


def test_how_far_an_index_build_is_gets_told(app: Owner):
    app.run(
        "CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.002); RETURN n; END $$"
    )
    heard = Listener()
    run(app, "CREATE INDEX ON journal_entries (slow(mood_level));", emit=heard)
    told = heard.of("progress")
    assert told[0]["command"] == "CREATE INDEX"
    assert told[0]["relation"] == "public.journal_entries"
    assert all(one["total"] is None or one["done"] <= one["total"] for one in told)


def test_a_lost_second_connection_does_not_touch_the_deploy(app: Owner):
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '% looks on'"
    heard = Listener(at=lambda kind, payload: app.run(end) if payload.get("name") == "statements" else None)
    done = run(app, "SELECT pg_sleep(0.3); CREATE TABLE logs (id int);", emit=heard)
    assert done.applied
    assert [one["severity"] for one in heard.of("notice")] == ["WARNING"]


def test_a_statement_that_never_falls_silent_is_stopped_all_the_same(app: Owner):
    loud = "DO $$ BEGIN FOR i IN 1..100000000 LOOP RAISE NOTICE 'again'; END LOOP; END $$;"
    started = time.monotonic()
    with pytest.raises(Stopped):
        run(app, loud, cancelled=lambda: time.monotonic() - started > 0.3)
    assert time.monotonic() - started < 1.3


def test_a_pause_between_two_attempts_is_stopped_within_a_second(app: Owner, blocker: psycopg.Connection):
    blocker.execute("LOCK TABLE users IN ACCESS SHARE MODE")
    stop = threading.Event()
    stopped_at: list[float] = []

    def at(kind: str, payload: dict) -> None:
        if kind == "retry":
            stopped_at.append(time.monotonic())
            stop.set()

    with pytest.raises(Stopped):
        run(app, "ALTER TABLE users ADD COLUMN x int;", emit=Listener(at=at), cancelled=stop.is_set)
    assert time.monotonic() - stopped_at[0] < 1


def test_the_scripts_own_settings_do_not_lift_our_limits(app: Owner, blocker: psycopg.Connection):
    blocker.execute("LOCK TABLE users IN ACCESS SHARE MODE")
    started = time.monotonic()
    done = run(
        app,
        "SET lock_timeout = 0; SET statement_timeout = 0;\nALTER TABLE users ADD COLUMN x int;",
        limits=Limits(attempts=1),
    )
    assert done.failure.failure_class.id == "lock-timeout"
    assert time.monotonic() - started < 2


def test_a_transaction_has_an_end(app: Owner):
    slow = "SELECT pg_sleep(0.2);\nSELECT pg_sleep(0.2);\nSELECT pg_sleep(30);"
    done = run(app, slow, limits=Limits(transaction_s=0.6))
    assert (done.applied, done.failure.line, done.failure.failure_class.id) == (False, 3, "timeout")


def test_the_session_of_a_client_that_died_is_waited_for_and_then_ended(app: Owner):
    with connect(app.url, application_name=application_name("job-1")) as left:
        left.execute("BEGIN; SELECT pg_advisory_lock(7305808869229538401); LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        heard = Listener()
        done = run(app, "ALTER TABLE users ADD COLUMN x int;", emit=heard, limits=Limits(old_session_s=0.3))
        assert done.applied
        assert {"name": "old-session"} in heard.of("phase")
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")

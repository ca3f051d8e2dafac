"""The script for an editor, run as one sends it: all or nothing, only on the rehearsed catalog, with a receipt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from services.database.by_hand.editor_script import EditorScript, Plan, PlannedStatement, editor_scripts
from services.database.by_hand.seen import seen_by_hand
from services.database.connect import connect
from services.database.fingerprint import Fingerprint
from services.database.rehearsal.rehearse import Rehearsal, rehearse
from services.database.script import read_scripts, split
from services.database.verification import Query
from services.verdict import Verdict
from tests.services.database.app_database import Owner, script

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
CHANGE = """CREATE TABLE public.logs (id int PRIMARY KEY, said text DEFAULT 'it''s $ops0$ here'); -- a table
INSERT INTO public.logs VALUES (1);
ALTER TABLE public.users ADD COLUMN tier text DEFAULT 'free';
SET search_path = pg_catalog;
CREATE FUNCTION public.one() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$
"""
HEALTHY = Query("010_rows", "010_rows.sql", "SELECT * FROM logs WHERE id <> 1 -- none", "the rows are right")


REHEARSED: dict[str, Rehearsal] = {}
"""Every test's database has the same catalog, so one rehearsal of a script does for all."""


def plan_for(app: Owner, sql: str = CHANGE, queries: Sequence[Query] = (HEALTHY,)) -> Plan:
    found = REHEARSED[sql] = REHEARSED.get(sql) or rehearse(app.url, script(sql), rows="all")
    assert found.before and found.after and found.failure is None
    apart = set(found.apart)
    statements = [
        PlannedStatement(one, 1.0, {}, (one.file, one.line) in apart) for one in read_scripts(script(sql)).statements
    ]
    role = str(app.value("SELECT current_user"))
    ids = ("by-hand 1", "7b1e9f0c-8a07-4f0e-9d5b-0d3a6d0b7c11")
    return Plan("beta", "prod", "hash", *ids, "ann", role, found.before, found.after, statements, queries)


def run(app: Owner, written: EditorScript) -> None:
    """As an editor does: one message on a connection of its own."""
    with connect(app.url) as editor:
        editor.execute(written.sql.encode())


def test_it_deploys_and_the_reading_connection_sees_it(app: Owner) -> None:
    plan = plan_for(app)
    (written,) = editor_scripts(plan, NOW)
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.FAIL
    run(app, written)
    seen = seen_by_hand(app.url, "beta", "hash")
    assert (seen.verdict, seen.receipt_id) == (Verdict.PASS, plan.receipt_id)
    assert app.value("SELECT said FROM logs") == "it's $ops0$ here"
    assert app.fingerprint() == plan.after
    assert seen_by_hand(app.url, "beta", "another").verdict is Verdict.FAIL
    app.run("ALTER TABLE logs ADD COLUMN later int")
    assert "changed since" in seen_by_hand(app.url, "beta", "hash").summary


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (lambda plan: replace(plan, role="somebody_else"), "runs as"),
        (lambda plan: replace(plan, before=Fingerprint.of({})), "not the one that was rehearsed"),
        (lambda plan: replace(plan, after=Fingerprint.of({})), "has not become the rehearsed one"),
        (
            lambda plan: replace(plan, queries=[replace(HEALTHY, sql="SELECT * FROM logs")]),
            "010_rows found 1 rows",
        ),
        (lambda plan: replace(plan, queries=[replace(HEALTHY, sql="SELECT nothing FROM logs")]), "nothing"),
    ],
)
def test_what_is_not_as_rehearsed_stops_it_and_leaves_nothing(
    app: Owner, bend: Callable[[Plan], Plan], said: str
) -> None:
    before = app.fingerprint()
    (written,) = editor_scripts(bend(plan_for(app)), NOW)
    with pytest.raises(psycopg.Error, match=said):
        run(app, written)
    assert app.fingerprint() == before
    assert not app.exists("ops.deploy_receipts")


def test_a_verification_query_that_writes_is_undone(app: Owner) -> None:
    writes = replace(HEALTHY, sql="WITH gone AS (DELETE FROM logs RETURNING 1) SELECT 1 FROM gone WHERE false")
    (written,) = editor_scripts(plan_for(app, queries=[writes]), NOW)
    run(app, written)
    assert app.value("SELECT count(*) FROM logs") == 1


def test_a_query_is_asked_as_the_roles_that_its_comment_names(app: Owner) -> None:
    who = "-- as: anon, nobody_here\nSELECT current_user WHERE current_user <> 'anon'"
    (written,) = editor_scripts(plan_for(app, queries=[replace(HEALTHY, sql=who)]), NOW)
    run(app, written)
    assert app.value("SELECT count(*) FROM ops.deploy_receipts") == 1
    refused = "-- as: anon\nSELECT * FROM logs"
    (written,) = editor_scripts(replace(plan_for(app, "DROP TABLE logs;", [replace(HEALTHY, sql=refused)])), NOW)
    with pytest.raises(psycopg.Error):
        run(app, written)


@pytest.mark.parametrize("sql", [CHANGE, "UPDATE users SET email = 'x' || email;"])
def test_a_second_run_changes_nothing(app: Owner, sql: str) -> None:
    (written,) = editor_scripts(plan_for(app, sql, ()), NOW)
    run(app, written)
    rows = app.rows()
    with pytest.raises(psycopg.Error, match="has been run already"):
        run(app, written)
    assert app.rows() == rows


def test_it_waits_for_a_lock_in_short_tries_so_that_others_do_not_queue(
    app: Owner, blocker: psycopg.Connection[tuple[object, ...]]
) -> None:
    plan = plan_for(app)
    strong = [
        replace(one, locks={"public.users": "AccessExclusiveLock"}) if "ALTER" in one.statement.sql else one
        for one in plan.statements
    ]
    (written,) = editor_scripts(replace(plan, statements=strong), NOW)
    blocker.execute("LOCK TABLE public.users IN ACCESS SHARE MODE")
    running = threading.Thread(target=run, args=(app, written))
    running.start()
    app.run("SET lock_timeout = '5s'")
    while not app.value("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
        assert running.is_alive()
    # A reader that comes behind the waiting lock gets through, since the wait is given up.
    app.run("SELECT count(*) FROM public.users")
    assert running.is_alive()
    blocker.execute("COMMIT")
    running.join(20)
    blocker.execute("BEGIN")
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.PASS


def test_what_needs_no_transaction_stands_in_a_file_of_its_own(app: Owner) -> None:
    sql = "ALTER TABLE users ADD COLUMN a int;\nCREATE INDEX CONCURRENTLY users_a ON users (a);\n"
    files = editor_scripts(plan_for(app, sql, ()), NOW)
    assert [one.alone for one in files] == [False, True, False]
    assert [one.name for one in files] == ["beta-01-of-03.sql", "beta-02-of-03.sql", "beta-03-of-03.sql"]
    for one in files:
        assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.FAIL
        run(app, one)
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.PASS


def test_nobody_but_the_owner_and_the_reader_has_rights_on_our_schema(app: Owner) -> None:
    (written,) = editor_scripts(plan_for(app), NOW)
    run(app, written)
    others = "SELECT count(*) FROM pg_class, aclexplode(relacl) x WHERE relnamespace = 'ops'::regnamespace"
    assert app.value(f"{others} AND x.grantee <> relowner") == 0


def test_the_head_says_how_long_it_may_take_only_where_that_was_predicted(app: Owner) -> None:
    plan = plan_for(app)

    def told(at_most_ms: float | None) -> str:
        statements = [replace(one, ms=45_000.0, at_most_ms=at_most_ms) for one in plan.statements[:1]]
        return editor_scripts(replace(plan, statements=statements), NOW)[0].sql

    assert "not known" in told(None) and "--predict" in told(None)
    assert "up to 0.5 s" in told(500.0) and "use psql" not in told(500.0)
    assert "up to 90.0 s" in told(90_000.0) and "use psql" in told(90_000.0)
    assert "statement_timeout = '55s'" in told(500.0) and "statement_timeout = '600s'" in told(90_000.0)


def test_a_client_that_undoes_what_fails_and_goes_on_commits_nothing(app: Owner) -> None:
    plan = plan_for(app)
    (written,) = editor_scripts(replace(plan, before=Fingerprint.of({})), NOW)
    before = app.fingerprint()
    said = []
    with connect(app.url) as psql:
        # As psql does with ON_ERROR_ROLLBACK=on: a savepoint before each statement, and back to it after an error.
        for one in split(script(written.sql)[0]):
            inside = psql.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS and one.control is None
            psql.execute("SAVEPOINT before") if inside else None
            try:
                psql.execute(one.sql.encode())
            except psycopg.Error as error:
                said.append(str(error))
                psql.execute("ROLLBACK TO before") if inside else None
            psql.execute("RELEASE before") if inside else None
        told = psql.execute("SELECT pg_catalog.current_setting('ops.told')").fetchone()
    assert "goes on with the rest" in said[0]
    assert "ops_unchecked" in said[-1]
    assert told is not None
    assert "NOT deployed" in told[0]
    assert app.fingerprint() == before
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.FAIL

"""After COMMIT: what each role that comes over REST really reads, what was kept, and who is told."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.deployment.receipts import find_receipt, outcome, receipt_of
from services.database.deployment.role_trials import REST_ROLES, try_as_roles
from services.database.deployment.stalls import longest_stall_ms, refuse_stalls
from services.database.rollback.roll_back import rollback
from services.database.script import read_scripts
from services.database.snapshots import settling
from services.database.verification import Query
from services.errors import Refused
from services.verdict import Verdict
from tests.services.database.app_database import Listener, Owner, script


def run(app: Owner, sql: str, queries=(), **more):
    given = {"release_id": "beta", "plan_hash": "h", "actor": "ann", "job_id": "job-1", **more}
    return deploy(app.url, script(sql), queries, **given)


def test_each_role_is_tried_on_what_was_made(app: Owner):
    done = run(
        app,
        "CREATE TABLE open_to_all (id int); GRANT SELECT ON open_to_all TO anon; INSERT INTO open_to_all VALUES (1);"
        "REVOKE ALL ON open_to_all FROM authenticated, service_role;",
    )
    assert done.verdict is Verdict.PASS
    assert [(one.role, one.object, one.refused) for one in done.roles.trials] == [
        ("anon", "public.open_to_all", False),
        ("authenticated", "public.open_to_all", True),
        ("service_role", "public.open_to_all", True),
    ]
    assert done.to_json()["roles"]["trials"][0]["message"] == "reads rows"


@pytest.mark.parametrize(
    "sql", ["DROP VIEW moods;", "DROP TABLE users CASCADE;", "ALTER VIEW moods RENAME TO feelings;"]
)
def test_what_is_gone_is_not_tried(app: Owner, sql: str):
    done = run(app, sql)
    tried = {one.object for one in done.roles.trials} if done.roles else set()
    assert (done.verdict, tried - {"public.feelings"}) == (Verdict.PASS, set())


def test_a_policy_that_cannot_be_answered_is_found_by_trying(app: Owner):
    done = run(
        app,
        "CREATE TABLE members (id int, chief int); ALTER TABLE members ENABLE ROW LEVEL SECURITY;"
        "GRANT SELECT ON members TO authenticated;"
        "CREATE POLICY chiefs ON members FOR SELECT USING (EXISTS (SELECT FROM members m WHERE m.chief = members.id));",
    )
    failed = [one for one in done.roles.trials if one.verdict is Verdict.FAIL]
    assert (done.applied, done.verdict) == (True, Verdict.FAIL)
    assert "authenticated" in {one.role for one in failed}
    assert "infinite recursion" in failed[0].message


def test_a_job_asked_for_again_is_judged_by_what_is_there_now_and_not_by_its_receipt(app: Owner):
    query = Query("q", "q.sql", "SELECT id FROM logs WHERE id > 1", "")
    first = run(app, "CREATE TABLE logs (id int);", [query])
    again = run(app, "CREATE TABLE logs (id int);", [query])
    assert (first.verdict, again.verdict, again.applied) == (Verdict.PASS, Verdict.PASS, True)
    assert (again.statements, again.receipt_id) == ((), first.receipt_id)
    app.run("INSERT INTO logs VALUES (2)")
    spoilt = run(app, "CREATE TABLE logs (id int);", [query])
    assert (spoilt.verdict, spoilt.applied, spoilt.verification.queries[0].rows) == (Verdict.FAIL, True, 1)


def test_a_job_whose_deploy_was_rolled_back_is_not_told_as_applied(app: Owner):
    run(app, "CREATE TABLE logs (id int);", keep_inverse=True)
    name = app.value("SELECT quote_ident(current_database())")
    app.run(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    rollback(app.url, "beta", (), actor="ann", may_copy=False)
    with connect(app.url) as conn:
        told = receipt_of(conn, "job_id", "job-1")
    assert (told.rolled_back_at.utcoffset(), told.deployed_at.utcoffset()) == (timedelta(), timedelta())
    with pytest.raises(Refused, match=f"rolled back at {told.rolled_back_at:%Y-%m-%d %H:%M} UTC by ann"):
        run(app, "CREATE TABLE logs (id int);")


def test_a_job_that_stopped_half_way_and_was_overtaken_is_not_told_as_applied(app: Owner):
    stops = "CREATE TABLE logs (id int); CREATE INDEX CONCURRENTLY i ON nowhere (n);"
    assert run(app, stops).state == "begun"
    assert run(app, "CREATE TABLE notes (id int);", job_id="job-2", plan_hash="other").applied
    assert outcome(app.url, "job-1") == "begun"
    with pytest.raises(Refused, match="another deploy of beta came after it"):
        run(app, stops)


def test_what_could_not_be_tried_is_told(make_supabase_database):
    place = make_supabase_database()
    with connect(place.admin) as conn:
        conn.execute("CREATE TABLE things (id int)")
    tried = try_as_roles(place.read_only, [("public", "things")])
    assert tried.trials == ()
    assert [why.split(":")[0] for why in tried.not_tried] == [f"as {role}" for role in sorted(REST_ROLES)]


def test_postgrest_is_told_at_commit_and_not_before(app: Owner):
    with connect(app.url) as ear:
        ear.execute("LISTEN pgrst")
        assert run(app, "CREATE TABLE logs (id int); SELECT 1 / 0;").applied is False
        assert list(ear.notifies(timeout=0.1)) == []
        run(app, "CREATE TABLE logs (id int);")
        heard = [note.payload for note in ear.notifies(timeout=2, stop_after=2)]
    assert heard == ["reload schema", "reload config"]


def test_what_a_change_takes_is_kept_and_named_in_the_receipt(app: Owner):
    done = run(app, "DELETE FROM journal_entries WHERE mood_level > 5;")
    receipt = find_receipt(app.url, "beta")
    assert done.snapshot_id is not None
    assert (receipt.kept_snapshot_id, receipt.snapshot_id) == (done.snapshot_id, None)
    kept = app.value(f"SELECT sum(row_count) FROM ops.snapshot_parts WHERE snapshot_id = '{done.snapshot_id}'")
    assert kept == 300


def test_what_no_statement_foretells_is_kept_in_a_second_round(app: Owner):
    done = run(app, "DO $$ BEGIN EXECUTE 'DELETE FROM users'; END $$;")
    assert (done.applied, done.snapshot_id is not None, app.value("SELECT count(*) FROM users")) == (True, True, 0)
    assert len(done.statements) == 1


def test_the_way_back_of_a_script_that_brings_none_is_derived_and_kept(app: Owner):
    before = app.fingerprint()
    done = run(app, "CREATE TABLE logs (id int); ALTER TABLE users ADD COLUMN n int DEFAULT 1;", keep_inverse=True)
    receipt = find_receipt(app.url, "beta")
    assert done.inverse is True
    assert (receipt.inverse["not_restored"], receipt.inverse["rows"]) == ([], [])
    app.run(receipt.inverse["sql"])
    assert app.fingerprint() == before


def test_a_way_back_that_cannot_be_derived_does_not_stop_the_deploy(app: Owner, monkeypatch):
    def unreadable(conn):
        conn.execute("SELECT 1 / 0")

    monkeypatch.setattr(settling, "read_definitions", unreadable)
    heard = Listener()
    done = run(app, "CREATE TABLE logs (id int);", keep_inverse=True, emit=heard)
    assert (done.applied, done.inverse, find_receipt(app.url, "beta").inverse) == (True, False, None)
    assert "no way back derived" in heard.of("notice")[0]["message"]


def test_nothing_is_kept_where_that_is_not_wanted(app: Owner):
    assert run(app, "DELETE FROM users;", keep_days=None).snapshot_id is None


def test_stopping_the_last_look_leaves_what_was_applied(app: Owner):
    stop: list[bool] = []
    query = Query("q", "q.sql", "SELECT 1 WHERE pg_sleep(0.3) IS NULL", "")

    def at(kind: str, payload: dict) -> None:
        if payload.get("name") == "verification-after":
            stop.append(True)

    done = run(app, "CREATE TABLE logs (id int);", [query], emit=at, cancelled=lambda: bool(stop))
    assert (done.applied, done.verdict, "was stopped" in done.summary) == (True, Verdict.UNKNOWN, True)


def test_a_stall_that_nobody_accepted_is_refused_by_name(app: Owner):
    sql = "ALTER TABLE users ALTER COLUMN email TYPE varchar(300)"
    told = {
        "file": "change.sql", "line": 1, "sql": sql, "stall_ms": 2310.4,
        "locks": {"public.users": "AccessExclusiveLock", "public.other": "AccessShareLock"},
    }  # fmt: skip
    with pytest.raises(Refused, match=r"writers on public\.users waiting for about 2310 ms") as refused:
        run(app, sql + ";", predicted=[told])
    assert (refused.value.place, "--accept-stall 2400" in refused.value.do) == ("change.sql:1", True)
    assert run(app, sql + ";", predicted=[told], accept_stall_ms=2400).applied
    refuse_stalls(read_scripts(script(sql + ";")).statements, [{**told, "stall_ms": None}], None)


def test_the_order_that_was_rehearsed_is_the_order_that_runs(app: Owner):
    sql = "ALTER TABLE users ADD COLUMN n int;\nCREATE TABLE logs (id int);\nINSERT INTO logs VALUES (1);"
    assert [ran.line for ran in run(app, sql, order=(1, 2, 0)).statements] == [2, 3, 1]


def test_an_older_form_of_our_schema_is_brought_up_to_date(app: Owner):
    run(app, "SELECT 1;")
    app.run(
        "ALTER TABLE ops.deploy_receipts DROP COLUMN state, DROP COLUMN inverse, DROP COLUMN parked,"
        " DROP COLUMN kept_snapshot_id; DROP TABLE ops.deploy_steps; COMMENT ON TABLE ops.deploy_receipts IS NULL"
    )
    with psycopg.connect(app.url) as conn:
        assert receipt_of(conn, "job_id", "job-1").state == "done"
    assert run(app, "SELECT 2;", job_id="job-2").state == "done"
    assert app.run("SELECT state FROM ops.deploy_receipts") == [("done",), ("done",)]


def test_the_role_that_reads_for_us_keeps_its_look_at_the_receipts(app: Owner, make_supabase_database):
    run(app, "SELECT 1;")
    with connect(make_supabase_database().admin) as admin:
        admin.execute("CREATE ROLE ops_reader_kept; CREATE ROLE somebody_else")
        try:
            for role in ("ops_reader_kept", "somebody_else"):
                app.run(f"GRANT USAGE ON SCHEMA ops TO {role}; GRANT SELECT ON ops.deploy_receipts TO {role}")
            app.run("COMMENT ON TABLE ops.deploy_receipts IS NULL")  # an older form: our schema is made anew
            run(app, "SELECT 2;", job_id="job-2")
            may = "SELECT has_table_privilege('{}', 'ops.deploy_receipts', 'SELECT')"
            assert app.value(may.format("ops_reader_kept")) is True
            assert app.value(may.format("somebody_else")) is False
        finally:
            app.run("DROP SCHEMA ops CASCADE")
            admin.execute("DROP ROLE ops_reader_kept, somebody_else")


def test_the_longest_wait_is_told_where_somebody_has_to_accept_it() -> None:
    told = [{"stall_ms": 420.0}, {"stall_ms": None}, {}]
    assert longest_stall_ms({"statements": told}) == 420
    assert longest_stall_ms({"statements": [{"stall_ms": 150.0}]}) is None
    assert longest_stall_ms({}) is None

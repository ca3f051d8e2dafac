"""A release without rollback scripts goes back in one transaction: catalog, order of columns and rows, nothing lost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.database.deployment.deploy import deploy
from services.database.execution import Emit, silent
from services.database.rollback.drill import prove_on
from services.database.rollback.roll_back import RollbackResult, preview_of, rollback
from services.database.snapshots.park import purge
from services.errors import Unavailable
from services.verdict import Verdict
from tests.services.database.app_database import Listener, Owner, script

TAKES = """
ALTER TABLE users DROP COLUMN created_at, ADD COLUMN archived boolean DEFAULT false;
DROP VIEW moods;
ALTER TABLE journal_entries ALTER mood_level TYPE text USING 'mood ' || mood_level;
DELETE FROM journal_entries WHERE id <= 30;
UPDATE journal_entries SET content = 'gone' WHERE id BETWEEN 31 AND 40;
CREATE TABLE extra (id int PRIMARY KEY);
"""


def up(app: Owner, sql: str, job_id: str = "up") -> None:
    done = deploy(app.url, script(sql), release_id="beta", plan_hash="h", actor="ann", job_id=job_id, keep_inverse=True)
    assert done.applied, done.summary


def back(app: Owner, emit: Emit = silent) -> RollbackResult:
    return rollback(app.url, "beta", (), actor="bob", job_id="down", may_copy=False, emit=emit)


def test_deploy_roll_back_deploy_is_the_same_twice(app: Owner):
    before, rows = app.fingerprint(), app.rows()
    up(app, TAKES)
    after, changed = app.fingerprint(), app.rows()
    assert preview_of(app.url, "beta", ()).not_restored == ()
    done = back(app)
    assert (done.verdict, done.fingerprint_restored, done.not_restored, done.conflicts) == (Verdict.PASS, True, "", ())
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)
    up(app, TAKES, "again")
    assert (app.fingerprint().facts, app.rows()) == (after.facts, changed)


def test_later_writes_stay_and_what_both_wrote_is_told(app: Owner):
    up(app, TAKES)
    app.run("INSERT INTO journal_entries (user_id, content) VALUES ('later', 'new')")
    app.run("UPDATE journal_entries SET content = 'mine' WHERE id = 35; INSERT INTO extra VALUES (1)")
    done = back(app)
    assert (done.verdict, done.fingerprint_restored, done.rows_lost) == (Verdict.FAIL, True, 0)
    assert [(one["table"], one["keys"]) for one in done.conflicts] == [("public.journal_entries", ["35"])]
    assert app.run("SELECT content FROM journal_entries WHERE id = 35 OR user_id = 'later' ORDER BY id") == [
        ("mine",),
        ("new",),
    ]
    assert done.parked == ("public.extra",)  # what was written into a table that goes is moved aside, not copied
    assert done.snapshot_id is not None
    proof = prove_on(app.url, done.snapshot_id)  # and all that went can be had again
    assert (proof.restorable, proof.reason) == (
        True,
        "Restored on a copy by restore --undo: 312 rows of 3 tables came back as kept.",
    )


def test_it_is_one_transaction_and_dead_in_the_middle_nothing_happened(app: Owner):
    up(app, TAKES)
    deployed, rows = app.fingerprint(), app.rows()

    def end_it(kind: str, _: dict[str, object]) -> None:
        if kind == "restore":
            app.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%down'")

    with pytest.raises(Unavailable):
        back(app, Listener(at=end_it))
    assert (app.fingerprint().facts, app.rows()) == (deployed.facts, rows)
    assert app.value("SELECT count(*) FROM ops.snapshots WHERE restored_at IS NOT NULL") == 0
    assert back(app).fingerprint_restored


def test_a_deploy_that_only_took_rows_goes_back_too(app: Owner):
    rows = app.rows()
    up(app, "DELETE FROM journal_entries WHERE id <= 30")
    assert preview_of(app.url, "beta", ()).sql == ""
    done = back(app)
    assert (done.merged, done.verdict, app.rows()) == (30, Verdict.PASS, rows)
    assert back(app).merged == 30  # the same job again changes nothing, and tells the same


def test_where_the_kept_rows_were_purged_the_catalog_goes_back_and_it_is_told(app: Owner):
    before = app.fingerprint()
    up(app, "DELETE FROM journal_entries WHERE id <= 30; CREATE TABLE extra (id int)")
    app.run("UPDATE ops.snapshots SET until = '2020-01-01'")
    purge(app.conn, datetime(2026, 1, 1, tzinfo=UTC))
    done = back(app)
    assert (done.verdict, done.merged, app.fingerprint().facts) == (Verdict.FAIL, 0, before.facts)
    assert "was purged on 2026-01-01" in done.conflicts[0]["why"]


def test_a_deploy_of_several_transactions_goes_back_in_one(app: Owner):
    before, rows = app.fingerprint(), app.rows()
    up(
        app,
        "DELETE FROM journal_entries WHERE id <= 30; CREATE INDEX CONCURRENTLY later ON journal_entries (mood_level);"
        " DELETE FROM journal_entries WHERE id = 100; ALTER TABLE users ADD COLUMN premium boolean",
    )
    heard = Listener()
    done = back(app, heard)
    assert [one["name"] for one in heard.of("phase")].count("commit") == 1
    assert (done.fingerprint_restored, done.conflicts, done.merged) == (True, (), 31)
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


LATER_INDEX = "CREATE INDEX CONCURRENTLY later ON t (a)"


@pytest.mark.parametrize("then", ["SELECT 1", LATER_INDEX])
def test_what_the_type_of_before_would_cut_off_is_told(app: Owner, then: str):
    app.run("CREATE TABLE t (id int PRIMARY KEY, a varchar(3)); INSERT INTO t VALUES (1, 'abc')")
    up(app, f"ALTER TABLE t ALTER a TYPE text; {then}")
    app.run("UPDATE t SET a = 'toolong1'")
    done = back(app)
    assert (done.verdict, [one["keys"] for one in done.conflicts]) == (Verdict.FAIL, [["1"]])
    assert app.run("SELECT key, now FROM ops.conflicts") == [(["1"], "toolong1")]


@pytest.mark.parametrize("then", ["SELECT 1", LATER_INDEX])
def test_a_sequence_is_behind_no_row_afterwards(app: Owner, then: str):
    app.run("CREATE TABLE t (id serial PRIMARY KEY, a int); INSERT INTO t (a) SELECT 1 FROM generate_series(1, 5)")
    up(app, f"DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a int); {then}")
    app.run("INSERT INTO t VALUES (70, 70)")
    assert back(app).verdict is Verdict.PASS
    assert app.value("SELECT nextval('t_id_seq')") == 71

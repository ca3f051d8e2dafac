"""A domain that a change altered, or took from a column, comes back, whatever was written meanwhile."""

from __future__ import annotations

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

WORLD = (
    "CREATE DOMAIN above AS int CONSTRAINT zero CHECK (VALUE > 0);"
    "CREATE TABLE t (id int PRIMARY KEY, a above); INSERT INTO t VALUES (1, 1), (2, NULL)"
)
OTHER = "ALTER DOMAIN above DROP CONSTRAINT zero; ALTER DOMAIN above ADD CONSTRAINT zero CHECK (VALUE > -9)"


def test_another_check_of_a_domain_is_taken_back_and_twice_is_once(app: Owner):
    app.run(WORLD)
    before = app.fingerprint()
    done = change(app.url, f"{OTHER}; UPDATE t SET a = -5")
    for _ in range(2):
        told = restore(app.url, str(done.snapshot_id), undo=True)
        assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
        assert app.run("SELECT * FROM t ORDER BY id") == [(1, 1), (2, None)]
        assert app.fingerprint().facts == before.facts


def test_a_table_goes_after_the_check_of_a_domain_and_is_parked(app: Owner):
    app.run(WORLD)
    done = change(app.url, "ALTER DOMAIN above DROP CONSTRAINT zero; DROP TABLE journal_entries CASCADE")
    assert done.parked == ("public.journal_entries",)


def test_what_a_domain_does_not_allow_is_a_conflict_of_its_row(app: Owner):
    app.run(WORLD)
    done = change(app.url, "ALTER TABLE t ALTER a TYPE int; UPDATE t SET a = -5 WHERE id = 1")
    app.run("INSERT INTO t VALUES (3, 3), (4, -4)")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert told.verdict is Verdict.FAIL
    assert app.run("SELECT key, now FROM ops.conflicts") == [(["4"], "-4")]
    assert app.run("SELECT * FROM t ORDER BY id") == [(1, 1), (2, None), (3, 3), (4, None)]

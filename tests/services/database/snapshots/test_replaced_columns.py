"""A column in the place of which a change put another one of its name comes back with every value, and no row goes."""

from __future__ import annotations

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

WORLD = "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL); INSERT INTO t VALUES (1, 10), (2, 20)"
REPLACED = "ALTER TABLE t DROP COLUMN a, ADD COLUMN a text NOT NULL DEFAULT 'new'"


def test_rows_stay_where_the_new_values_are_none_of_the_old_type(app: Owner):
    app.run(WORLD)
    before = app.fingerprint()
    done = change(app.url, REPLACED)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.run("SELECT * FROM t ORDER BY id") == [(1, 10), (2, 20)]
    assert app.fingerprint().facts == before.facts


def test_what_was_written_into_the_new_column_is_kept_or_told(app: Owner):
    app.run(WORLD)
    done = change(app.url, REPLACED)
    app.run("UPDATE t SET a = '7' WHERE id = 1; INSERT INTO t VALUES (3, '30'), (4, 'done')")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert {(one.table, one.keys) for one in told.conflicts} == {
        ("public.t", ("1",)), ("public.t", ("4",)), ("public.t.a", ("4",)),
    }  # fmt: skip
    assert app.run("SELECT * FROM t ORDER BY id") == [(1, 7), (2, 20), (3, 30)]

"""An enum that a change gave a label goes back, whether or not rows have the label, and with it what else was done."""

from __future__ import annotations

import pytest

from services.database.rollback.restoring import restore
from services.errors import Refused
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

WORLD = (
    "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (id int PRIMARY KEY, v m NOT NULL DEFAULT 'a', w text, x m[]);"
    "INSERT INTO t VALUES (1, 'a', 'x', '{a,b}'), (2, 'b', 'y', NULL)"
)
ANEW = (
    "CREATE TYPE n AS ENUM ('c', 'a', 'b'); ALTER TABLE t ALTER v DROP DEFAULT, ALTER v TYPE n USING v::text::n,"
    "ALTER x TYPE n[] USING x::text[]::n[], ALTER v SET DEFAULT 'c'; DROP TYPE m; ALTER TYPE n RENAME TO m"
)


def test_it_is_taken_back_with_rows_that_have_the_label_and_other_columns(app: Owner):
    app.run(WORLD)
    before = app.fingerprint()
    done = change(app.url, f"{ANEW}; UPDATE t SET v = 'c', x = '{{c}}'; ALTER TABLE t DROP COLUMN w")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.run("SELECT id, v::text, w, x::text FROM t ORDER BY id") == [(1, "a", "x", "{a,b}"), (2, "b", "y", None)]
    assert app.fingerprint().facts == before.facts


def test_rows_written_since_with_the_label_are_told_and_none_leaves_its_table(app: Owner):
    app.run(WORLD)
    done = change(app.url, "ALTER TYPE m ADD VALUE 'c'")
    app.run("INSERT INTO t VALUES (3, 'c', 'z', '{c}')")
    with pytest.raises(Refused, match=r"public\.t have a label in v that goes"):
        restore(app.url, str(done.snapshot_id), undo=True)
    app.run("UPDATE t SET v = 'b'")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [(one.table, one.keys) for one in told.conflicts] == [("public.t.x", ("3",))]
    assert app.run("SELECT id, v::text, x FROM t WHERE id = 3") == [(3, "b", None)]
    assert app.run("SELECT now FROM ops.conflicts") == [("{c}",)]

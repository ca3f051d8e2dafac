"""What is kept of a value outlives all that a change may drop, and is found as it was kept."""

from __future__ import annotations

import pytest

from services.database.rollback.restoring import restore
from services.errors import Refused
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

COLLATED = "CREATE SCHEMA s; CREATE COLLATION s.cc (locale = 'C', provider = libc);"
TABLE = "CREATE TABLE t (id int PRIMARY KEY, n text COLLATE s.cc, v varchar(5)[] COLLATE s.cc);"


@pytest.mark.parametrize(
    "sql",
    [
        "DROP COLLATION s.cc CASCADE",
        "DROP SCHEMA s CASCADE",
        "DROP TABLE t; DROP COLLATION s.cc",
        "UPDATE t SET n = 'y'; ALTER TABLE t DROP COLUMN n; ALTER TABLE t DROP COLUMN v; DROP COLLATION s.cc",
    ],
)
def test_a_collation_that_goes_takes_nothing_of_the_copy_along(app: Owner, sql: str):
    app.run(COLLATED + TABLE + "INSERT INTO t VALUES (1, 'x', '{a}')")
    before, rows = app.fingerprint(), app.rows()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


def test_a_key_of_a_collation_that_goes_is_kept_too(app: Owner):
    app.run(COLLATED + "CREATE TABLE t (n text COLLATE s.cc PRIMARY KEY, v int); INSERT INTO t VALUES ('x', 1)")
    rows = app.rows()
    done = change(app.url, 'UPDATE t SET v = 2; ALTER TABLE t ALTER n TYPE text COLLATE "C"; DROP COLLATION s.cc')
    assert restore(app.url, str(done.snapshot_id), undo=True).verdict is Verdict.PASS
    assert app.rows() == rows


def test_a_script_that_reaches_what_is_kept_of_it_is_refused(app: Owner):
    hidden = (
        "DELETE FROM users; DO $$ BEGIN EXECUTE (SELECT format('DELETE FROM ops.%I', copy_name)"
        " FROM ops.snapshot_parts ORDER BY copy_name LIMIT 1); END $$"
    )
    rows = app.rows()
    with pytest.raises(Refused, match="where the rows that it takes are kept"):
        change(app.url, hidden)
    assert app.rows() == rows


@pytest.mark.parametrize(
    "sql", ["DELETE FROM audit; DROP TABLE foo", "UPDATE audit SET x = 'z'; ALTER TABLE foo RENAME TO bar"]
)
def test_a_name_of_an_object_is_kept_as_it_was(app: Owner, sql: str):
    app.run("CREATE TABLE foo (id int PRIMARY KEY); INSERT INTO foo VALUES (1)")
    app.run("CREATE TABLE audit (id int PRIMARY KEY, t regclass, p regprocedure[], x text);"
            "INSERT INTO audit VALUES (1, 'foo', '{now()}', 'a'), (2, 'audit', NULL, 'b')")  # fmt: skip
    rows = app.rows()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.rows() == rows


def test_a_name_of_an_object_that_is_gone_is_a_conflict(app: Owner):
    app.run("CREATE TABLE foo (id int PRIMARY KEY); CREATE TABLE audit (id int PRIMARY KEY, t regclass);"
            "INSERT INTO audit VALUES (1, 'foo'), (2, 'audit')")  # fmt: skip
    done = change(app.url, "DELETE FROM audit")
    app.run("DROP TABLE foo")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [one.keys for one in told.conflicts] == [("1",)]
    assert app.run("SELECT id, t::text FROM audit") == [(2, "audit")]

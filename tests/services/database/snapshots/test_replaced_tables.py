"""A table that a change put in another one's place goes back with every row, and with what was written since."""

from __future__ import annotations

import pytest

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

KEYED = "CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 1), (2, 2)"
PLAIN = "CREATE TABLE t (id int, x int); INSERT INTO t VALUES (1, 1), (2, 2), (2, 2)"
REPLACED = (
    "CREATE TABLE n (id int PRIMARY KEY, x int, z text); INSERT INTO n SELECT id, x, 'z' FROM t; DROP TABLE t;"
    "ALTER TABLE n RENAME TO t",
    "ALTER TABLE t RENAME TO o; CREATE TABLE t (id int PRIMARY KEY, x int, z text);"
    "INSERT INTO t SELECT id, x, 'z' FROM o; DROP TABLE o",
    "CREATE TEMP TABLE b AS TABLE t; DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, z text, x int);"
    "INSERT INTO t SELECT id, 'z', x FROM b",
)


@pytest.mark.parametrize("sql", REPLACED)
def test_a_table_rebuilt_under_its_own_name_is_as_it_was(app: Owner, sql: str):
    app.run(KEYED)
    before = app.fingerprint()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.run("SELECT * FROM t ORDER BY id") == [(1, 1), (2, 2)]
    assert app.fingerprint().facts == before.facts


def test_what_was_written_into_the_new_table_is_merged(app: Owner):
    app.run(KEYED)
    done = change(app.url, REPLACED[0])
    app.run("INSERT INTO t VALUES (3, 3, 'new'); UPDATE t SET x = 20 WHERE id = 2")
    assert restore(app.url, str(done.snapshot_id), undo=True).conflicts == []
    assert app.run("SELECT * FROM t ORDER BY id") == [(1, 1), (2, 20), (3, 3)]


def test_rows_without_a_key_are_all_there_too(app: Owner):
    app.run(PLAIN)
    done = change(app.url, REPLACED[0].replace("id int PRIMARY KEY", "id int"))
    app.run("INSERT INTO t VALUES (3, 3, 'new')")
    assert restore(app.url, str(done.snapshot_id), undo=True).conflicts == []
    assert app.run("SELECT * FROM t ORDER BY id") == [(1, 1), (2, 2), (2, 2), (3, 3)]


def test_a_plain_restore_leaves_the_new_table_and_its_rows(app: Owner):
    app.run(KEYED)
    done = change(app.url, REPLACED[0])
    app.run("INSERT INTO t VALUES (3, 3, 'new'); DELETE FROM t WHERE id = 1")
    restore(app.url, str(done.snapshot_id))
    assert app.run("SELECT id, x, z FROM t ORDER BY id") == [(2, 2, "z"), (3, 3, "new")]

"""A table that a change put in another one's place goes back with every row, and with what was written since."""

from __future__ import annotations

import pytest

from services.database.deployment.deploy import deploy
from services.database.rollback.restoring import restore
from services.database.rollback.roll_back import rollback
from services.errors import Refused
from services.verdict import Verdict
from tests.campaign import sample
from tests.services.database.app_database import Owner, script
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


@pytest.mark.parametrize("sql", sample(REPLACED, 2, seed=3))
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


OTHERWISE = {
    "by a view over a copy": (
        KEYED,
        "CREATE TABLE base AS TABLE t; DROP TABLE t; CREATE VIEW t AS SELECT * FROM base",
    ),
    "by a view over itself": (
        KEYED,
        "ALTER TABLE t RENAME TO base; CREATE VIEW t AS SELECT * FROM base; UPDATE base SET x = 9",
    ),
    "beside the old one, with its sequence": (
        "CREATE TABLE t (id serial PRIMARY KEY, x int); INSERT INTO t (x) VALUES (1), (2)",
        "ALTER TABLE t RENAME TO t_old; CREATE TABLE t (id serial PRIMARY KEY, x int, z text);"
        "INSERT INTO t SELECT id, x FROM t_old; DELETE FROM t_old",
    ),
    "by a partitioned one beside the old": (
        KEYED,
        "ALTER TABLE t RENAME TO t_old; CREATE TABLE t (id int PRIMARY KEY, x int) PARTITION BY RANGE (id);"
        "CREATE TABLE a PARTITION OF t FOR VALUES FROM (0) TO (100); INSERT INTO t SELECT * FROM t_old;"
        "TRUNCATE t_old",
    ),
}


@pytest.mark.parametrize("way", ["undo", "rollback"])
@pytest.mark.parametrize("how", sample(OTHERWISE, 2, seed=3))
def test_what_stands_under_its_name_goes_first(app: Owner, how: str, way: str):
    world, sql = OTHERWISE[how]
    app.run(world)
    before, rows = app.fingerprint(), app.rows()
    done = deploy(app.url, script(sql), release_id="r", plan_hash="h", actor="ann", job_id="up", keep_inverse=True)
    if way == "undo":
        told = restore(app.url, str(done.snapshot_id), undo=True)
        assert (told.verdict, told.conflicts, told.not_restored) == (Verdict.PASS, [], [])
    else:
        back = rollback(app.url, "r", (), actor="bob", job_id="down", may_copy=False)
        assert (back.verdict, back.fingerprint_restored, back.conflicts) == (Verdict.PASS, True, ())
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


SWAPPED = {
    "tables": (
        "CREATE TABLE a (id int PRIMARY KEY, x int); INSERT INTO a VALUES (1, 1);"
        "CREATE TABLE b (id int PRIMARY KEY, x int); INSERT INTO b VALUES (1, 2)",
        "ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b;"
        "UPDATE a SET x = x + 10; UPDATE b SET x = x + 100",
    ),
    "columns": (
        "CREATE TABLE a (id int PRIMARY KEY, x int, y int); INSERT INTO a VALUES (1, 1, 2)",
        "ALTER TABLE a RENAME x TO z; ALTER TABLE a RENAME y TO x; ALTER TABLE a RENAME z TO y; UPDATE a SET x = 10",
    ),
    "columns beside one that went": (
        "CREATE TABLE a (id int PRIMARY KEY, w int, x int, y int); INSERT INTO a VALUES (1, 5, 1, 2)",
        "ALTER TABLE a RENAME x TO z; ALTER TABLE a RENAME y TO x; ALTER TABLE a RENAME z TO y; UPDATE a SET x = 10;"
        "ALTER TABLE a DROP w",
    ),
}


@pytest.mark.parametrize("what", sample(SWAPPED, 2, seed=3))
def test_names_that_were_swapped_are_swapped_back(app: Owner, what: str):
    world, sql = SWAPPED[what]
    app.run(world)
    before, rows = app.fingerprint(), app.rows()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id))
    assert (told.verdict, told.conflicts, told.not_restored) == (Verdict.PASS, [], [])
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


def test_a_table_under_a_view_with_whole_rows_is_copied(app: Owner):
    app.run(f"{KEYED}; CREATE VIEW v AS SELECT * FROM t; CREATE VIEW w AS SELECT v AS whole FROM v")
    before, rows = app.fingerprint(), app.rows()
    done = change(app.url, "DROP TABLE t CASCADE")
    assert restore(app.url, str(done.snapshot_id)).conflicts == []
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


def test_a_view_that_took_the_name_since_is_told(app: Owner):
    app.run(KEYED)
    done = change(app.url, "DROP TABLE t")
    app.run("CREATE VIEW t AS SELECT 1 AS id")
    with pytest.raises(Refused, match=r"public\.t is there as a view, and the table of that name is to come back"):
        restore(app.url, str(done.snapshot_id), undo=True)

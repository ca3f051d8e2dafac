"""Rows with a key are merged letter by letter, and a row that is refused holds up no other."""

from __future__ import annotations

import pytest

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

BLIND = "CREATE COLLATION nd (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"


@pytest.mark.parametrize(
    ("table", "sql"),
    [
        ("id int PRIMARY KEY, n text COLLATE nd", "UPDATE t SET n = upper(n)"),
        ("id int, n text COLLATE nd PRIMARY KEY", "UPDATE t SET n = upper(n)"),
        ("id int, n text COLLATE nd PRIMARY KEY", "UPDATE t SET id = id + 1"),
        ("id int, n text COLLATE nd", "UPDATE t SET n = upper(n)"),
    ],
)
def test_a_change_of_case_alone_is_taken_back(app: Owner, table: str, sql: str):
    try:
        app.run(BLIND + f"CREATE TABLE t ({table}); INSERT INTO t VALUES (1, 'anna'), (2, 'Bo')")
    except Exception as error:
        if "ICU" in str(error):
            pytest.skip("a server without ICU")
        raise
    rows = app.rows()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.rows() == rows


UNIQUE = "CREATE TABLE t (id int PRIMARY KEY, p int UNIQUE, g int GENERATED ALWAYS AS (p + 1) STORED);"
RANGES = "CREATE TABLE t (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));"


@pytest.mark.parametrize(
    ("table", "sql"),
    [
        (UNIQUE + "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
         "UPDATE t SET p = -p; UPDATE t SET p = CASE p WHEN -1 THEN 2 WHEN -2 THEN 3 ELSE 1 END"),
        (RANGES + "INSERT INTO t VALUES (1, '[1,3)'), (2, '[3,5)')",
         "UPDATE t SET r = '[100,101)' WHERE id = 1; UPDATE t SET r = '[1,3)' WHERE id = 2;"
         "UPDATE t SET r = '[3,5)' WHERE id = 1"),
    ],
)  # fmt: skip
def test_values_that_changed_places_change_back(app: Owner, table: str, sql: str):
    app.run(table)
    rows = app.rows()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.rows() == rows


def test_only_the_row_whose_place_is_taken_since_is_a_conflict(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, p int UNIQUE); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)")
    done = change(app.url, "UPDATE t SET p = p - 100")
    app.run("INSERT INTO t VALUES (9, 20)")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [one.keys for one in told.conflicts] == [("2",)]
    assert app.run("SELECT id, p FROM t ORDER BY 1") == [(1, 10), (2, -80), (3, 30), (9, 20)]


def test_what_is_only_checked_at_the_end_is_one_rows_conflict(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, p int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
            "INSERT INTO t VALUES (1, 10), (2, 20)")  # fmt: skip
    done = change(app.url, "DELETE FROM t")
    app.run("INSERT INTO t VALUES (3, 10)")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [one.keys for one in told.conflicts] == [("1",)]
    assert app.run("SELECT id, p FROM t ORDER BY 1") == [(2, 20), (3, 10)]


def test_numbers_that_the_server_always_gives_are_put_back(app: Owner):
    app.run("CREATE TABLE t (code text PRIMARY KEY, seq int GENERATED ALWAYS AS IDENTITY, v int);"
            "INSERT INTO t (code, v) VALUES ('a', 1), ('b', 2)")  # fmt: skip
    before, rows = app.fingerprint(), app.rows()
    done = change(app.url, "DELETE FROM t; INSERT INTO t (code, v) VALUES ('a', 5), ('b', 6)")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


def test_beside_a_column_that_both_altered_the_others_go_back(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 10, 10)")
    done = change(app.url, "UPDATE t SET a = 1, b = 1")
    app.run("UPDATE t SET a = 2")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [one.keys for one in told.conflicts] == [("1",)]
    assert app.run("SELECT a, b FROM t") == [(2, 10)]
    assert app.run("SELECT column_name, before, after, now FROM ops.conflicts") == [("a", "10", "1", "2")]


@pytest.mark.parametrize("undo", [True, False])
def test_an_identity_that_was_dropped_before_is_no_hindrance(app: Owner, undo: bool):
    app.run("CREATE TABLE t (gone int GENERATED ALWAYS AS IDENTITY, id int PRIMARY KEY, v int);"
            "ALTER TABLE t DROP COLUMN gone; INSERT INTO t VALUES (1, 1)")  # fmt: skip
    rows = app.rows()
    done = change(app.url, "UPDATE t SET v = 2")
    assert restore(app.url, str(done.snapshot_id), undo=undo).verdict is Verdict.PASS
    assert app.rows() == rows

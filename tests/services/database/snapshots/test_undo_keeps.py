"""What was written since into tables and columns that a change had added is kept when the change is taken back."""

from __future__ import annotations

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

WORLD = "CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 1), (2, 2)"


def copy_in(app: Owner, snapshot_id: str | None) -> str:
    return str(app.value(f"SELECT copy_name FROM ops.snapshot_parts WHERE snapshot_id = '{snapshot_id}'"))


def test_a_table_that_the_change_had_made_is_parked_and_can_be_had_again(app: Owner):
    app.run(WORLD)
    done = change(app.url, "DELETE FROM t WHERE id = 1; CREATE TABLE n (y text); CREATE TABLE bare (y text)")
    app.run("INSERT INTO n VALUES ('precious')")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.parked) == (Verdict.PASS, ("public.n",))
    assert app.value("SELECT to_regclass('n') IS NULL AND to_regclass('bare') IS NULL")
    assert told.to_json()["kept_snapshot_id"] == told.kept_snapshot_id
    restore(app.url, str(told.kept_snapshot_id))
    assert app.run("SELECT * FROM n") == [("precious",)]


def test_values_of_a_column_that_the_change_had_added_are_copied(app: Owner):
    app.run(WORLD)
    done = change(app.url, "DELETE FROM t WHERE id = 1; ALTER TABLE t ADD COLUMN y text, ADD COLUMN never text")
    app.run("UPDATE t SET y = 'precious' WHERE id = 2")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert told.verdict is Verdict.PASS
    copy = copy_in(app, told.kept_snapshot_id)
    assert app.run(f"SELECT * FROM ops.{copy}") == [(2, "precious")]


def test_values_of_columns_that_go_with_a_table_made_anew_are_copied(app: Owner):
    app.run("CREATE TABLE p (id int PRIMARY KEY, name text); INSERT INTO p VALUES (1, 'A B')")
    done = change(app.url, "ALTER TABLE p ADD f text; UPDATE p SET f = name; ALTER TABLE p DROP COLUMN name")
    app.run("UPDATE p SET f = 'precious'")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    copy = copy_in(app, told.kept_snapshot_id)
    assert app.run(f"SELECT id, f FROM ops.{copy}") == [(1, "precious")]
    assert app.run("SELECT * FROM p") == [(1, "A B")]


def test_where_nothing_goes_with_rows_in_it_nothing_is_kept(app: Owner):
    app.run(WORLD)
    done = change(app.url, "UPDATE t SET x = 9; ALTER TABLE t ADD COLUMN y text; CREATE TABLE n (y text)")
    for _ in range(2):
        told = restore(app.url, str(done.snapshot_id), undo=True)
        assert (told.verdict, told.kept_snapshot_id, told.parked) == (Verdict.PASS, None, ())
    assert app.value("SELECT count(*) FROM ops.snapshots") == 1
    assert app.value("SELECT count(*) FROM ops.unsettled") == 0

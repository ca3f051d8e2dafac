"""Values inside composite and row types are kept, come back, and are never emptied or shifted without being told."""

from __future__ import annotations

import pytest

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.campaign import sample
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

POINTS = """
CREATE TYPE pt AS (x int, y text); CREATE DOMAIN dpt AS pt; CREATE TYPE outer_pt AS (p pt);
CREATE TABLE k (id int PRIMARY KEY, p pt, pa pt[], d dpt); CREATE TABLE u (p pt);
INSERT INTO k VALUES (1, ROW(1, 'yy'), ARRAY[ROW(2, 'z')::pt], ROW(3, 'q')), (2, ROW(1, 'yy'), NULL, NULL);
INSERT INTO u VALUES (ROW(1, 'yy')), (ROW(1, 'yy'));
"""
BASE = """
CREATE TABLE base (a int, b text, c text);
CREATE TABLE hold (id int PRIMARY KEY, v base); INSERT INTO hold VALUES (1, ROW(1, 'b', 'c'))
"""
SPANS = """
CREATE TYPE pt AS (x int, y text); CREATE TYPE span AS RANGE (subtype = pt);
CREATE TABLE k (id int PRIMARY KEY, p span); INSERT INTO k VALUES (1, span(ROW(1, 'yy'), ROW(2, 'zz')))
"""
TYPED = "CREATE TYPE ty AS (a int, b text); CREATE TABLE tt OF ty; INSERT INTO tt VALUES (1, 'x')"


@pytest.mark.parametrize(
    ("world", "sql"),
    sample([
        (POINTS, "ALTER TYPE pt DROP ATTRIBUTE y"),
        (POINTS, "ALTER TYPE pt RENAME ATTRIBUTE y TO yy"),
        (POINTS, "ALTER TYPE pt RENAME ATTRIBUTE y TO yy; UPDATE k SET p = ROW(7, 'new') WHERE id = 1"),
        (POINTS, "ALTER TYPE pt RENAME ATTRIBUTE y TO q; ALTER TYPE pt RENAME ATTRIBUTE x TO y"),
        (POINTS, "ALTER TYPE pt RENAME ATTRIBUTE y TO q; ALTER TYPE pt RENAME ATTRIBUTE x TO y;"
                 " ALTER TYPE pt RENAME ATTRIBUTE q TO x"),
        (POINTS, "ALTER TYPE pt ADD ATTRIBUTE z int"),
        (BASE, "ALTER TABLE base DROP COLUMN c"),
        (TYPED, "ALTER TYPE ty DROP ATTRIBUTE b CASCADE"),
        (TYPED, "ALTER TYPE ty RENAME ATTRIBUTE b TO c CASCADE"),
    ], 4, seed=3),
)  # fmt: skip
def test_every_value_is_as_before(app: Owner, world: str, sql: str):
    app.run(world)
    before, rows = app.fingerprint(), app.rows()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts, told.not_restored) == (Verdict.PASS, [], [])
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


def test_an_attribute_is_renamed_back_with_its_values(app: Owner):
    app.run(POINTS)
    done = change(app.url, "ALTER TYPE pt RENAME ATTRIBUTE y TO yy")
    app.run("INSERT INTO k VALUES (3, ROW(9, 'later'))")
    assert restore(app.url, str(done.snapshot_id)).verdict is Verdict.PASS
    assert app.run("SELECT (p).y FROM k ORDER BY id") == [("yy",), ("yy",), ("later",)]


@pytest.mark.parametrize(
    ("world", "sql", "table"),
    sample([
        (POINTS, "ALTER TYPE pt DROP ATTRIBUTE x", "public.k.p"),
        (SPANS, "ALTER TYPE pt DROP ATTRIBUTE x", "public.k.p"),
        (BASE, "ALTER TABLE base DROP b", "public.hold.v"),
    ], 1, seed=3),
)  # fmt: skip
def test_values_whose_attributes_would_stand_elsewhere_are_told(app: Owner, world: str, sql: str, table: str):
    app.run(world)
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert told.verdict is Verdict.FAIL
    assert table in {one.table for one in told.conflicts}
    copy = app.value("SELECT copy_name FROM ops.snapshot_parts WHERE table_name IN ('k', 'hold')")
    column = table.rpartition(".")[2]
    assert app.value(f"SELECT {column} FROM ops.{copy} WHERE id = 1") in ("(1,yy)", "(1,b,c)", '["(1,yy)","(2,zz)")')


@pytest.mark.parametrize("later", ["p = ROW(9, 'y', 5)", "pa = ARRAY[ROW(9, 'y', 5)::pt]"])
def test_what_was_written_into_an_attribute_that_goes_is_told(app: Owner, later: str):
    app.run(POINTS)
    done = change(app.url, "ALTER TYPE pt ADD ATTRIBUTE z int")
    app.run(f"UPDATE k SET {later} WHERE id = 1")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [one.keys for one in told.conflicts] == [("1",)]
    assert "9,y,5" in app.value("SELECT now FROM ops.conflicts")


def test_values_of_a_table_without_a_key_that_cannot_be_told_apart_are_told(app: Owner):
    app.run(BASE + "; INSERT INTO base VALUES (1, 'x', 'y')")
    done = change(app.url, "ALTER TABLE base DROP COLUMN c")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [one.table for one in told.conflicts] == ["public.base.c"]
    copy = app.value("SELECT copy_name FROM ops.snapshot_parts WHERE table_name = 'base'")
    assert app.value(f"SELECT c FROM ops.{copy}") == "y"

"""What was written into a wider column is never cut off or rounded without being told, and stays readable whole."""

from __future__ import annotations

from typing import Any

import pytest

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.campaign import sample
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

CASES = [
    ("varchar(3)", "'abc'", "text", "'toolong1'", "toolong1"),
    ("int", "1", "numeric", "2.9", "2.9"),
    ("numeric(6,2)", "1", "numeric(10,4)", "1.2345", "1.2345"),
    ("date", "'2026-01-01'", "timestamptz", "'2026-01-02 10:00+00'", "2026-01-02 10:00:00+00"),
    ("int", "1", "text", "'no number'", "no number"),
]
FITTING = [("varchar(3)", "'abc'", "text", "'xy'"), ("int", "1", "numeric", "2.0"),
           ("numeric(6,2)", "1", "numeric", "1.5"), ("float8", "1", "numeric", "1.10")]  # fmt: skip


def noted(app: Owner) -> list[Any]:
    return app.run("SELECT key, column_name, now FROM ops.conflicts ORDER BY 1, 2")


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize(("was", "value", "wide", "later", "text"), sample(CASES, 2, seed=3))
def test_what_does_not_fit_any_more_is_told(
    app: Owner, was: str, value: str, wide: str, later: str, text: str, hidden: bool
):
    app.run(f"CREATE TABLE t (id int PRIMARY KEY, a {was}); INSERT INTO t VALUES (1, {value}), (2, {value})")
    sql = f"ALTER TABLE t ALTER a TYPE {wide}"
    done = change(app.url, f"DO $$ BEGIN {sql}; END $$" if hidden else sql)
    app.run(f"UPDATE t SET a = {later} WHERE id = 1; INSERT INTO t VALUES (3, {later})")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert told.verdict is Verdict.FAIL
    assert ("public.t.a", ("1", "3")) in [(one.table, one.keys) for one in told.conflicts]
    assert {tuple(row[0]) + row[1:] for row in noted(app)} == {("1", "a", text), ("3", "a", text)}
    assert "toolong1" not in str(told.to_json())


def test_it_is_told_where_the_column_is_altered_in_place(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, a varchar(3)); INSERT INTO t VALUES (1, 'abc')")
    done = change(app.url, "ALTER TABLE t ALTER a TYPE text, ADD COLUMN new int")
    app.run("UPDATE t SET a = 'toolong1'")
    told = restore(app.url, str(done.snapshot_id))
    assert [(one.table, one.keys) for one in told.conflicts] == [("public.t.a", ("1",))]
    assert noted(app) == [(["1"], "a", "toolong1")]


def test_what_both_altered_is_noted_as_it_was_written(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)")
    done = change(app.url, "ALTER TABLE t ALTER a TYPE numeric; UPDATE t SET a = 2.5")
    app.run("UPDATE t SET a = 7.75")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert told.verdict is Verdict.FAIL
    assert {row[2] for row in noted(app)} == {"7.75"}


@pytest.mark.parametrize(("was", "value", "wide", "later"), sample(FITTING, 2, seed=3))
def test_what_fits_is_no_conflict(app: Owner, was: str, value: str, wide: str, later: str):
    app.run(f"CREATE TABLE t (id int PRIMARY KEY, a {was}); INSERT INTO t VALUES (1, {value}), (2, {value})")
    done = change(app.url, f"ALTER TABLE t ALTER a TYPE {wide}")
    app.run(f"UPDATE t SET a = {later} WHERE id = 1")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])


def test_what_the_change_itself_had_made_is_no_conflict(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2)")
    rows = app.rows()
    done = change(app.url, "ALTER TABLE t ALTER a TYPE numeric USING a / 3.0")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts, app.rows()) == (Verdict.PASS, [], rows)


@pytest.mark.parametrize(
    ("was", "wide", "later"), [("int", "bigint", "5000000000"), ("int", "text", "'k'"), ("int", "numeric", "7.5")]
)
def test_a_row_whose_key_does_not_fit_is_told_and_stays_readable(app: Owner, was: str, wide: str, later: str):
    app.run(f"CREATE TABLE t (id {was} PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')")
    done = change(app.url, f"ALTER TABLE t ALTER id TYPE {wide}")
    app.run(f"INSERT INTO t VALUES ({later}, 'later'), ('3', 'fits')")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert told.verdict is Verdict.FAIL
    assert app.run("SELECT id, v FROM t ORDER BY 1") == [(1, "a"), (3, "fits")]
    assert app.value("SELECT now::json ->> 'v' FROM ops.conflicts WHERE column_name IS NULL") == "later"


def test_keys_that_the_change_itself_had_made_are_no_conflict(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    rows = app.rows()
    done = change(app.url, "ALTER TABLE t ALTER id TYPE text USING 'x' || id")
    app.run("INSERT INTO t VALUES ('y', 'later')")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [one.keys for one in told.conflicts] == [("y",)]
    assert app.rows() == rows


def test_a_row_with_no_value_for_what_takes_no_null_is_told(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); INSERT INTO t VALUES (1, 1)")
    done = change(app.url, "ALTER TABLE t ALTER v TYPE text")
    app.run("INSERT INTO t VALUES (2, 'word'); UPDATE t SET v = 'word' WHERE id = 1")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert told.verdict is Verdict.FAIL
    assert app.run("SELECT id, v FROM t ORDER BY 1") == [(1, 1)]
    assert app.value("SELECT now::json ->> 'v' FROM ops.conflicts WHERE column_name IS NULL") == "word"


@pytest.mark.parametrize(("wide", "later"), [("text", "'toolong1'"), ("text", "NULL")])
def test_rows_without_a_key_are_told_too(app: Owner, wide: str, later: str):
    app.run("CREATE TABLE t (a varchar(3), b int); INSERT INTO t VALUES ('abc', 1), ('abc', 1)")
    done = change(app.url, f"ALTER TABLE t ALTER a TYPE {wide}")
    app.run(f"INSERT INTO t VALUES ({later}, 5)")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict is Verdict.FAIL) == (later != "NULL")
    assert app.run("SELECT count(*) FROM t") == [(3,)]
    if later != "NULL":
        assert app.value("SELECT now::json ->> 'a' FROM ops.conflicts") == "toolong1"

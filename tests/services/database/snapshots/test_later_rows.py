"""Rows written since the change stay, get what they lack where there is a way, and else stay readable in schema ops."""

from __future__ import annotations

import pytest

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.campaign import sample
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change


@pytest.mark.parametrize("undo", [False, True])
def test_rows_without_a_value_for_the_key_of_before(app: Owner, undo: bool):
    app.run("CREATE TABLE t (a int, b int, k int, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 1, 5), (1, 2, 6)")
    done = change(app.url, "ALTER TABLE t DROP COLUMN b")
    app.run("INSERT INTO t (a, k) VALUES (9, 9)")
    told = restore(app.url, str(done.snapshot_id), undo=undo)
    assert [(one.table, one.rows, one.why.partition(":")[0]) for one in told.conflicts] == [
        ("public.t", 1, "what was written since has no value for the key of before")
    ]
    assert app.run("SELECT now::json ->> 'a', now::json ->> 'k' FROM ops.conflicts") == [("9", "9")]
    assert app.run("SELECT * FROM t ORDER BY b") == [(1, 1, 5), (1, 2, 6)]


def test_rows_that_have_no_column_in_common_with_the_table_of_before(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    done = change(app.url, "DROP TABLE t; CREATE TABLE t (uid int PRIMARY KEY, y text); INSERT INTO t VALUES (7, 'c')")
    app.run("INSERT INTO t VALUES (8, 'precious')")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert [one.rows for one in told.conflicts] == [1]
    assert "precious" in str(app.run("SELECT now FROM ops.conflicts"))
    assert app.run("SELECT * FROM t ORDER BY id") == [(1,), (2,)]


def test_no_row_of_before_is_taken_for_one_of_a_table_with_other_columns(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)")
    done = change(app.url, "DROP TABLE t; CREATE TABLE t (uid int); INSERT INTO t VALUES (7)")
    restore(app.url, str(done.snapshot_id))
    assert app.run("SELECT id FROM t ORDER BY 1") == [(1,), (2,), (3,), (None,)]


@pytest.mark.parametrize("kind", ["int GENERATED ALWAYS AS IDENTITY", "serial UNIQUE"])
@pytest.mark.parametrize("beside", ["", ", ADD COLUMN new int"])
def test_rows_get_numbers_for_a_column_that_comes_back_with_its_sequence(app: Owner, kind: str, beside: str):
    app.run(f"CREATE TABLE t (id int PRIMARY KEY, k {kind}); INSERT INTO t (id) VALUES (1), (2)")
    done = change(app.url, f"ALTER TABLE t DROP COLUMN k{beside}")
    app.run("INSERT INTO t (id) VALUES (3), (4)")
    told = restore(app.url, str(done.snapshot_id))
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.run("SELECT id, k FROM t WHERE id < 3 ORDER BY id") == [(1, 1), (2, 2)]
    assert sorted(app.run("SELECT k FROM t WHERE id > 2")) == [(3,), (4,)]
    app.run("INSERT INTO t (id) VALUES (5)")
    assert app.value("SELECT k FROM t WHERE id = 5") == 5


def test_rows_whose_parents_are_gone_are_taken_out_again_and_no_trigger_fires(app: Owner):
    app.run(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);"
        "CREATE TABLE seen (what text); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2);"
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.seen VALUES (TG_OP); RETURN NULL; END $$"
    )
    done = change(app.url, "DELETE FROM c")
    app.run("CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON c EXECUTE FUNCTION see()")
    app.run("DELETE FROM p WHERE id = 1")
    for _ in range(2):
        told = restore(app.url, str(done.snapshot_id), undo=True)
        assert [(one.table, one.rows) for one in told.conflicts] == [("public.c", 1)]
        assert (app.run("SELECT id FROM c"), app.run("SELECT * FROM seen")) == ([(2,)], [])


TO_ANOTHER_PARENT = "UPDATE c SET p = 2 WHERE id = 1"


@pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
@pytest.mark.parametrize(
    "sql",
    sample(
        [TO_ANOTHER_PARENT, "ALTER TABLE c DROP COLUMN p", f"DELETE FROM c WHERE id = 2; {TO_ANOTHER_PARENT}"],
        2,
        seed=1,
    ),
)
def test_a_row_that_stood_there_stays_where_its_parent_of_before_is_gone(app: Owner, sql: str, key: str):
    app.run(
        f"CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int {key}, p int REFERENCES p, t text);"
        "INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1, 'a'), (2, 2, 'b')"
    )
    done = change(app.url, sql)
    app.run("DELETE FROM p WHERE id = 1")
    if key:
        app.run("UPDATE c SET t = 'later' WHERE id = 1")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert told.verdict is Verdict.FAIL
    assert [one.table for one in told.conflicts if "does not check" in one.why] != []
    assert app.run("SELECT id, p, t FROM c ORDER BY id") == [(1, 1, "later" if key else "a"), (2, 2, "b")]


def test_no_trigger_that_a_partition_has_of_its_parent_fires(app: Owner):
    app.run(
        "CREATE TABLE m (id int PRIMARY KEY, x int) PARTITION BY RANGE (id); CREATE TABLE seen (what text);"
        "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10); INSERT INTO m VALUES (1, 1), (2, 2)"
    )
    done = change(app.url, "DELETE FROM m WHERE id = 1; UPDATE m SET x = 5 WHERE id = 2")
    app.run(
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.seen VALUES (TG_OP); RETURN NEW; END $$;"
        "CREATE TRIGGER see BEFORE INSERT OR UPDATE ON m FOR EACH ROW EXECUTE FUNCTION see()"
    )
    now = app.fingerprint()
    assert restore(app.url, str(done.snapshot_id)).verdict is Verdict.PASS
    assert (app.run("SELECT * FROM m ORDER BY id"), app.run("SELECT * FROM seen")) == ([(1, 1), (2, 2)], [])
    assert app.fingerprint().facts == now.facts
    app.run("INSERT INTO m VALUES (3, 3)")
    assert app.run("SELECT * FROM seen") == [("INSERT",)]

"""What a change took comes back: rows, columns, and all that hung on them; what was written since stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.database.rollback.restoring import restore
from services.database.snapshots.park import purge
from services.errors import Refused
from services.verdict import Verdict
from tests.campaign import sample
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.test_park import WORLD
from tests.services.database.snapshots.thin_change import change


def positions(app: Owner) -> list[tuple[str, int]]:
    return app.run(
        "SELECT schemaname || '.' || sequencename, last_value FROM pg_sequences WHERE schemaname <> 'ops' ORDER BY 1"
    )


CHANGES = (
    "DROP TABLE logs CASCADE",
    "DROP TABLE teams, logs, notes CASCADE",
    "DO $$ BEGIN DROP TABLE logs CASCADE; END $$",
    "TRUNCATE logs RESTART IDENTITY CASCADE",
    "DELETE FROM notes; UPDATE logs SET team = NULL, word = 'y'; DELETE FROM teams",
    "ALTER TABLE notes DROP COLUMN whole; ALTER TABLE logs ALTER nr TYPE smallint USING 7",
    "DROP TABLE logs CASCADE; CREATE TABLE logs (id int PRIMARY KEY, extra text); INSERT INTO logs VALUES (1, 'x')",
    "ALTER TABLE logs RENAME COLUMN team TO gang; ALTER TABLE logs RENAME TO entries;"
    "DELETE FROM notes; DELETE FROM entries",
    "DROP FUNCTION secret() CASCADE; DROP SEQUENCE numbers CASCADE; DROP POLICY own ON logs;DROP VIEW busy CASCADE",
)


COLUMNS = ("ALTER TABLE logs DROP COLUMN team CASCADE", "ALTER TABLE logs DROP COLUMN id CASCADE")


@pytest.mark.parametrize("sql", [*sample(CHANGES, 4, seed=2), *sample(COLUMNS, 1, seed=2)])
def test_everything_is_as_it_was(app: Owner, sql: str):
    app.run(WORLD)
    if sql in COLUMNS:
        app.run("ALTER TABLE notes DROP COLUMN whole")
    app.run("INSERT INTO notes (id, log) SELECT id, id FROM logs")
    before, rows, stood = app.fingerprint(), app.rows(), positions(app)
    done = change(app.url, sql)
    assert (app.fingerprint(), app.rows()) != (before, rows)
    result = restore(app.url, str(done.snapshot_id), undo=True)
    assert (result.conflicts, result.not_restored, result.verdict) == ([], [], Verdict.PASS)
    assert app.fingerprint().facts == before.facts
    assert (app.rows(), positions(app)) == (rows, stood)


@pytest.mark.parametrize("sql", COLUMNS)
def test_where_a_column_holds_rows_of_the_table_what_does_not_come_back_is_told(app: Owner, sql: str):
    app.run(WORLD)
    done = change(app.url, sql)
    result = restore(app.url, str(done.snapshot_id), undo=True)
    told = [*(one.table for one in result.conflicts), *result.not_restored]
    assert result.verdict is Verdict.FAIL
    assert "the order of the columns of public.logs: what comes back stands last" in told
    assert "public.notes.whole" not in told  # it holds no value
    if sql == COLUMNS[0]:
        assert app.run("SELECT team, up FROM logs ORDER BY id") == [(1, None), (2, 1), (1, 2)]
    else:
        assert "public.logs.id" in told
    assert app.value("SELECT relreplident FROM pg_class WHERE oid = 'logs'::regclass") == "d"


def test_what_was_written_since_stays_and_what_both_wrote_is_told(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    app.run("INSERT INTO t SELECT i, 'a', 'b' FROM generate_series(1, 6) i")
    sql = "UPDATE t SET a = 'x' WHERE id <= 4; DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (7, 'n', 'n')"
    done = change(app.url, sql)
    app.run("UPDATE t SET b = 'zebra' WHERE id = 2; UPDATE t SET a = 'zebra' WHERE id = 3; DELETE FROM t WHERE id = 4")
    app.run("INSERT INTO t VALUES (8, 'new', 'new')")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert app.run("SELECT * FROM t ORDER BY id") == [
        (1, "a", "b"), (2, "a", "zebra"), (3, "zebra", "b"), (5, "a", "b"), (6, "a", "b"), (8, "new", "new"),
    ]  # fmt: skip
    assert {(one.keys, one.rows) for one in told.conflicts} == {(("3",), 1), (("4",), 1)}
    assert app.run("SELECT column_name, before, after, now FROM ops.conflicts WHERE key = '{3}'") == [
        ("a", "a", "x", "zebra")
    ]
    assert "zebra" not in str(told.to_json())


def test_what_the_change_had_added_stays_beside_what_it_took(app: Owner):
    app.run("CREATE TABLE t (a int PRIMARY KEY, gone int NOT NULL CHECK (gone > 0), c text)")
    app.run("INSERT INTO t SELECT i, i, 'c' FROM generate_series(1, 3) i")
    done = change(app.url, "ALTER TABLE t DROP COLUMN gone, ADD COLUMN new text DEFAULT 'n' NOT NULL")
    app.run("UPDATE t SET new = 'written since' WHERE a = 2")
    told = restore(app.url, str(done.snapshot_id))
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert told.not_restored == ["the order of the columns of public.t: what comes back stands last"]
    assert app.run("SELECT a, c, new, gone FROM t ORDER BY 1") == [
        (1, "c", "n", 1), (2, "c", "written since", 2), (3, "c", "n", 3),
    ]  # fmt: skip


def test_rows_written_since_get_the_default_of_a_column_that_comes_back(app: Owner):
    app.run("CREATE TABLE t (a int PRIMARY KEY, gone text DEFAULT 'd' NOT NULL)")
    app.run("INSERT INTO t VALUES (1, 'kept')")
    done = change(app.url, "ALTER TABLE t DROP COLUMN gone, ADD COLUMN new int")
    app.run("INSERT INTO t VALUES (2)")
    told = restore(app.url, str(done.snapshot_id))
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.run("SELECT a, gone FROM t ORDER BY 1") == [(1, "kept"), (2, "d")]


def test_a_row_whose_parent_is_gone_since_does_not_come_back(app: Owner):
    app.run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);"
            "INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2)")  # fmt: skip
    done = change(app.url, "DELETE FROM c")
    app.run("DELETE FROM p WHERE id = 1; INSERT INTO c VALUES (3, 2)")
    told = restore(app.url, str(done.snapshot_id))
    assert app.run("SELECT * FROM c ORDER BY 1") == [(2, 2), (3, 2)]
    assert [(one.table, one.rows) for one in told.conflicts] == [("public.c", 1)]
    assert app.value("SELECT convalidated FROM pg_constraint WHERE conname = 'c_p_fkey'")


def test_nothing_is_taken_out_that_others_wrote_under_it(app: Owner):
    app.run("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1)")
    app.run("CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE)")
    done = change(app.url, "INSERT INTO p VALUES (2); DELETE FROM p WHERE id = 1")
    app.run("INSERT INTO c VALUES (1, 2)")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert app.run("SELECT * FROM c") == [(1, 2)]
    assert told.conflicts


def test_what_was_purged_is_told(app: Owner):
    done = change(app.url, "DELETE FROM users")
    app.run("UPDATE ops.snapshots SET until = '2020-01-01'")
    purge(app.conn, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(Refused, match="purged on 2026-01-01"):
        restore(app.url, str(done.snapshot_id))

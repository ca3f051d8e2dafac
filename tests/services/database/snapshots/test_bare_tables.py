"""Tables that have no column, or only generated ones, lose no row either."""

from __future__ import annotations

import pytest

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

NONE = "CREATE TABLE t (); INSERT INTO t DEFAULT VALUES; INSERT INTO t DEFAULT VALUES"
GENERATED = NONE.replace("()", "(a int GENERATED ALWAYS AS (1) STORED)")


@pytest.mark.parametrize("world", [NONE, GENERATED])
@pytest.mark.parametrize("sql", ["DELETE FROM t", "TRUNCATE t", "DROP TABLE t"])
def test_rows_are_there_again(app: Owner, world: str, sql: str):
    app.run(world)
    done = change(app.url, sql)
    assert restore(app.url, str(done.snapshot_id)).verdict is Verdict.PASS
    assert app.value("SELECT count(*) FROM t") == 2


def test_rows_that_the_change_added_go_and_later_ones_stay(app: Owner):
    app.run(NONE)
    done = change(app.url, "INSERT INTO t DEFAULT VALUES")
    app.run("INSERT INTO t DEFAULT VALUES")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.rows_taken_out) == (Verdict.PASS, 1)
    assert app.value("SELECT count(*) FROM t") == 3

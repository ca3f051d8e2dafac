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

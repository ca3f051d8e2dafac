"""A value that only got another text, since its type or what it names did, is not taken for written since."""

from __future__ import annotations

import pytest

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

SIZES = """
CREATE TYPE size AS ENUM ('s', 'm'); CREATE DOMAIN ds AS size;
CREATE TABLE t (id int PRIMARY KEY, z size, za size[], d ds, v int); CREATE TABLE u (z size, v int);
INSERT INTO t VALUES (1, 's', '{s}', 's', 1), (2, 'm', NULL, NULL, 2); INSERT INTO u VALUES ('s', 1), ('s', 1);
"""
RENAMED = (
    "ALTER TYPE size RENAME VALUE 's' TO 'small'; UPDATE t SET v = v + 1; INSERT INTO t (id, z) VALUES (3, 'small')"
)


@pytest.mark.parametrize(
    "sql",
    [
        RENAMED,
        RENAMED + "; UPDATE u SET v = 2; INSERT INTO u VALUES ('small', 5)",
        "INSERT INTO u VALUES ('s', 1); ALTER TYPE size RENAME VALUE 's' TO 'small'",
    ],
)  # fmt: skip
def test_labels_get_their_names_back_with_rows_of_the_change(app: Owner, sql: str):
    app.run(SIZES)
    before, rows = app.fingerprint(), app.rows()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


def test_a_later_write_of_a_renamed_label_alone_is_kept(app: Owner):
    app.run(SIZES)
    done = change(app.url, RENAMED)
    app.run("UPDATE t SET z = 'm' WHERE id = 1")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.run("SELECT id, z, v FROM t ORDER BY 1") == [(1, "m", 1), (2, "m", 2)]


def test_a_type_that_only_got_its_name_back_makes_no_value_unfit(app: Owner):
    app.run(SIZES)
    done = change(app.url, "ALTER TYPE size RENAME TO size2; UPDATE t SET z = 'm'")
    app.run("INSERT INTO t (id, z) VALUES (4, 's')")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.run("SELECT id, z FROM t ORDER BY 1") == [(1, "s"), (2, "m"), (4, "s")]

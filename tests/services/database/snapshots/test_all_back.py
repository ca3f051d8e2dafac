"""No row is lost without a word, whatever the code that merges them does: it is found before COMMIT."""

from __future__ import annotations

from typing import Any

import pytest

from services.database.deployment.deploy import deploy
from services.database.rollback.restoring import restore
from services.database.rollback.roll_back import rollback
from services.database.snapshots import taking_back
from services.database.snapshots.all_back import NotAllBack
from services.database.snapshots.merge import Merge
from tests.services.database.app_database import Owner, script
from tests.services.database.snapshots.thin_change import change

KEYED = "CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 1), (2, 2)"
PLAIN = "CREATE TABLE t (id int, x int); INSERT INTO t VALUES (1, 1), (2, 2), (2, 2)"
REPLACED = (
    "CREATE TABLE n (id int, x int, z text); INSERT INTO n SELECT id, x, 'z' FROM t; DROP TABLE t;"
    "ALTER TABLE n RENAME TO t"
)


def nothing(*_: Any, **__: Any) -> Merge:
    return Merge()


def blind(patch: pytest.MonkeyPatch) -> None:
    """As it was once: a table that was replaced is made again, and nobody sees that it is empty."""
    patch.setattr(taking_back, "to_rebuild", lambda *_: {})
    patch.setattr(taking_back, "_made_anew", lambda *_: False)


@pytest.mark.parametrize(
    ("world", "sql"),
    [
        (KEYED, "DELETE FROM t WHERE id = 1"),
        (KEYED, "UPDATE t SET x = 9"),
        (KEYED, "ALTER TABLE t DROP COLUMN x, ADD COLUMN y int"),
        (KEYED, "DO $$ BEGIN DROP TABLE t; END $$"),
        (PLAIN, "DELETE FROM t WHERE id = 1"),
        (PLAIN, "DO $$ BEGIN DROP TABLE t; END $$"),
    ],
)
def test_rows_that_do_not_come_back(app: Owner, monkeypatch: pytest.MonkeyPatch, world: str, sql: str):
    app.run(world)
    done = change(app.url, sql)
    for name in ("merge_keyed", "merge_counted"):
        monkeypatch.setattr(taking_back, name, nothing)
    before, rows = app.fingerprint(), app.rows()
    with pytest.raises(NotAllBack, match=r"kept rows? of public\.t"):
        restore(app.url, str(done.snapshot_id))
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


@pytest.mark.parametrize("world", [KEYED, PLAIN])
def test_a_table_that_comes_back_empty(app: Owner, monkeypatch: pytest.MonkeyPatch, world: str):
    app.run(world)
    done = change(app.url, REPLACED)
    blind(monkeypatch)
    rows = app.rows()
    with pytest.raises(NotAllBack, match=r"public\.t would be lost"):
        restore(app.url, str(done.snapshot_id), undo=True)
    assert app.rows() == rows


def test_in_a_rollback_as_well(app: Owner, monkeypatch: pytest.MonkeyPatch):
    app.run(KEYED)
    deploy(app.url, script(REPLACED), release_id="r", plan_hash="h", actor="ann", job_id="up", keep_inverse=True)
    blind(monkeypatch)
    rows = app.rows()
    with pytest.raises(NotAllBack):
        rollback(app.url, "r", (), actor="bob", job_id="down", may_copy=False)
    assert app.rows() == rows


def test_rows_of_now_that_go(app: Owner, monkeypatch: pytest.MonkeyPatch):
    app.run(KEYED)
    done = change(app.url, "DELETE FROM t WHERE id = 1")
    app.run("INSERT INTO t VALUES (3, 3)")
    merging = taking_back.merge_keyed

    def careless(conn: Any, *given: Any, **named: Any) -> Merge:
        merge = merging(conn, *given, **named)
        conn.execute("DELETE FROM public.t WHERE id = 3")
        return merge

    monkeypatch.setattr(taking_back, "merge_keyed", careless)
    with pytest.raises(NotAllBack, match=r"1 row of now of public\.t"):
        restore(app.url, str(done.snapshot_id))
    assert app.run("SELECT id FROM t ORDER BY 1") == [(2,), (3,)]

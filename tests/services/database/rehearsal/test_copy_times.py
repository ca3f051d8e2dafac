"""What a deploy takes to keep what goes is measured as it does it, undone, and told as part of the stall."""

from __future__ import annotations

import pytest

from services.database.rehearsal.copy_times import CannotKeep, copied_tables, measure_copies
from services.database.rehearsal.measure import Effect, StatementEffects
from services.database.rehearsal.rehearse import rehearse
from services.database.script import read_scripts
from tests.campaign import only_in_full
from tests.services.database.app_database import Owner, script

CHANGE = "ALTER TABLE users DROP COLUMN created_at;\nUPDATE journal_entries SET mood_level = 1;"


def effect(**done: object) -> StatementEffects:
    given: dict[str, object] = {
        **{"relation": "public.t", "kind": "r", "lock": None, "held": None, "scans": 0, "rows_scanned": 0},
        **{"inserted": 0, "updated": 0, "deleted": 0, "rewritten": False, "dropped": False, "dropped_columns": 0},
    }
    return StatementEffects((Effect(**{**given, **done}),), 0, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sql", "done", "copied"),
    [
        ("UPDATE t SET n = 1", {"updated": 3}, {"public.t"}),
        ("DO $$ BEGIN DELETE FROM t; END $$", {"deleted": 3}, {"public.t"}),
        ("ALTER TABLE t DROP COLUMN n", {"dropped_columns": 1}, {"public.t"}),
        ("ALTER TABLE t ALTER n TYPE bigint", {"rewritten": True}, {"public.t"}),
        ("ALTER TABLE t ADD COLUMN n int DEFAULT f()", {"rewritten": True}, set()),
        ("INSERT INTO t VALUES (1)", {"inserted": 1}, set()),
        ("DROP TABLE t", {"dropped": True}, set()),
    ],
)
def test_which_tables_a_deploy_copies(sql: str, done: dict[str, object], copied: set[str]) -> None:
    (statement,) = read_scripts(script(sql)).statements
    assert copied_tables(statement, effect(**done)) == copied


def test_it_is_done_as_a_deploy_does_it_and_undone(app: Owner) -> None:
    before, rows = app.fingerprint(), app.rows()
    statements = read_scripts(script(CHANGE)).statements
    tables = ["public.journal_entries", "public.users"]
    found = measure_copies(app.url, statements, frozenset(), tables, lambda: False)
    assert found.before_ms > 0 and found.after_ms > 0
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)
    assert app.value("SELECT to_regnamespace('ops') IS NULL")


def test_what_cannot_be_kept_is_said(app: Owner) -> None:
    statements = read_scripts(script("UPDATE journal_entries SET mood_level = 1 / 0;")).statements
    with pytest.raises(CannotKeep, match="division by zero"):
        measure_copies(app.url, statements, frozenset(), ["public.journal_entries"], lambda: False)


@only_in_full
def test_writers_of_a_copied_table_wait_for_all_of_it(app: Owner) -> None:
    app.run("CREATE TABLE many (id bigint PRIMARY KEY, note text, gone text)")
    app.run("INSERT INTO many SELECT i, 'note ' || i, 'gone ' || i FROM generate_series(1, 40000) i")
    sql = "ALTER TABLE many DROP COLUMN IF EXISTS gone;\nUPDATE many SET note = '' WHERE id < 10;"
    found = rehearse(app.url, script(sql), predict=True)
    assert found.predicted is not None
    dropped, updated = found.to_json()["statements"]
    assert dropped["stall_ms"] == updated["stall_ms"] == pytest.approx(found.predicted.transaction_ms, abs=0.1)
    assert dropped["stall_ms"] > 10 * dropped["predicted_ms"]["ms"]

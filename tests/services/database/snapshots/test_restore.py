"""What a change took comes back: rows, columns, and all that hung on them; what was written since stays."""

from __future__ import annotations

import pytest

from services.database.snapshots.restore import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.test_park import WORLD
from tests.services.database.snapshots.thin_change import change


def positions(app: Owner) -> list[tuple[str, int]]:
    return app.run(
        "SELECT schemaname || '.' || sequencename, last_value FROM pg_sequences WHERE schemaname <> 'ops' ORDER BY 1"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE logs CASCADE",
        "DROP TABLE teams, logs, notes CASCADE",
        "DO $$ BEGIN DROP TABLE logs CASCADE; END $$",
        "ALTER TABLE logs DROP COLUMN team CASCADE",
        "ALTER TABLE logs DROP COLUMN id CASCADE",
        "TRUNCATE logs RESTART IDENTITY CASCADE",
        "DELETE FROM notes; UPDATE logs SET team = NULL, word = 'y'; DELETE FROM teams",
        "ALTER TABLE notes DROP COLUMN whole; ALTER TABLE logs ALTER nr TYPE smallint USING 7",
        "DROP TABLE logs CASCADE; CREATE TABLE logs (id int PRIMARY KEY, extra text); INSERT INTO logs VALUES (1, 'x')",
        "ALTER TABLE logs RENAME COLUMN team TO gang; ALTER TABLE logs RENAME TO entries;"
        "DELETE FROM notes; DELETE FROM entries",
        "DROP FUNCTION secret() CASCADE; DROP SEQUENCE numbers CASCADE; DROP POLICY own ON logs;DROP VIEW busy CASCADE",
    ],
)
def test_everything_is_as_it_was(app: Owner, sql: str):
    app.run(WORLD)
    app.run("INSERT INTO notes (id, log) SELECT id, id FROM logs")
    before, rows, stood = app.fingerprint(), app.rows(), positions(app)
    done = change(app.url, sql)
    assert (app.fingerprint(), app.rows()) != (before, rows)
    result = restore(app.url, str(done.snapshot_id), undo=True)
    assert (result.conflicts, result.not_restored, result.verdict) == ([], [], Verdict.PASS)
    assert app.fingerprint().facts == before.facts
    assert (app.rows(), positions(app)) == (rows, stood)

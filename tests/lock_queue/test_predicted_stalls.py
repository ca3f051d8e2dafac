"""What a rehearsal says about a lock that must be held: writers then wait between half of that and twice as long."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.rehearsal.measure import blocks_writers
from services.database.rehearsal.rehearse import rehearse
from services.database.script import Script
from services.database.server import Server
from tests.campaign import only_in_full
from tests.lock_queue.load import fresh, writing

pytestmark = [pytest.mark.campaign, only_in_full]

ROWS = 600_000
CHANGES = {
    "rewrite": "ALTER TABLE people ADD COLUMN IF NOT EXISTS at timestamptz DEFAULT clock_timestamp();",
    "index": "CREATE INDEX IF NOT EXISTS by_note ON people (note);",
    "type": "ALTER TABLE people ALTER COLUMN n TYPE bigint;",
    "check": "ALTER TABLE people DROP CONSTRAINT IF EXISTS long;\n"
    "ALTER TABLE people ADD CONSTRAINT long CHECK (note ~ '^note [0-9]+$');",
    "drop-column": "ALTER TABLE people DROP COLUMN IF EXISTS gone;",
    "delete": "DELETE FROM people WHERE n % 3 = 0;",
    "update-behind-a-lock": "ALTER TABLE people ADD COLUMN IF NOT EXISTS flag int;\nUPDATE people SET flag = n % 7;",
}


def predicted_ms(document: dict[str, Any]) -> float:
    """How long writers will wait by the rehearsal: by its prediction, or, where it copied all rows, as it measured."""
    if document.get("predicted"):
        return float(document["predicted"]["stall_ms"])
    statements = document["statements"]
    first = next(place for place, one in enumerate(statements) if blocks_writers(one["lock"]))
    return float(sum(one["ms"] for one in statements[first:]))


@pytest.mark.parametrize("change", CHANGES)
def test_writers_wait_about_as_long_as_was_predicted(
    postgres_server: Server, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = fresh(postgres_server, "predicted")
    with connect(url) as conn:
        conn.execute(f"INSERT INTO people SELECT g, g, 'note ' || g, '' FROM generate_series(2001, {ROWS}) g")
        conn.execute("CHECKPOINT")
    scripts = [Script("change.sql", CHANGES[change])]
    foretold = predicted_ms(rehearse(url, scripts, rows="all", predict=True).to_json())
    with writing(url, ("people",), 7) as writes:
        done = deploy(url, scripts, release_id=change, plan_hash="h", actor="ann")
    with capsys.disabled():
        told = f"predicted {foretold:6.0f} ms   writers waited {writes.longest_ms:6.0f} ms"
        sys.stdout.write(f"\n  {change:24} {told}   x {foretold / writes.longest_ms:.2f}\n")
    assert done.applied, done.summary
    assert 0.5 <= foretold / writes.longest_ms <= 2

"""Times on the real size are a straight line through two measured ones, and a stall lasts until COMMIT."""

from __future__ import annotations

import pytest

from services.database.rehearsal.calibration import AtSize, on_the_line
from services.database.rehearsal.copy_times import CopyTimes
from services.database.rehearsal.rehearse import rehearse
from services.database.verification import Query
from tests.campaign import only_in_full
from tests.services.database.app_database import Owner, script


@pytest.mark.parametrize(
    ("points", "rows", "ms"),
    [
        ([(100_000, 100.0), (300_000, 300.0)], 1_000_000, 1000.0),
        ([(100_000, 150.0), (300_000, 250.0)], 1_000_000, 600.0),
        ([(100_000, 300.0), (300_000, 250.0)], 1_000_000, 250.0),
        ([(10_000, 10.0), (30_000, 30.0)], 30_000, 30.0),
        ([(30_000, 10.0), (30_000, 30.0)], 30_000, 30.0),
    ],
)
def test_the_line_through_two_sizes(points, rows, ms):
    assert on_the_line(points, rows) == pytest.approx(ms)


def test_what_else_the_machine_did_while_measuring_is_left_out():
    rows = {"public.many": 300_000}
    once = AtSize(rows, (100.0, 561.0), CopyTimes(30.0, 9.0), 40.0)
    twice = AtSize(rows, (340.0, 190.0), CopyTimes(20.0, 12.0), 30.0)
    assert once.or_less(twice) == AtSize(rows, (100.0, 190.0), CopyTimes(20.0, 9.0), 30.0)
    failed_early = AtSize(rows, (100.0,), CopyTimes(0.0, 0.0), 0.0)
    assert once.or_less(failed_early).ms == (100.0,)


def test_what_the_verification_takes_is_in_the_stall(app: Owner):
    slow = Query("010_slow", "verify/010_slow.sql", "SELECT FROM pg_sleep(0.3) OFFSET 1", "Slow.")
    sql = "ALTER TABLE users ADD COLUMN IF NOT EXISTS x int;"
    found = rehearse(app.url, script(sql), verify=[slow], predict=True)
    assert 300 <= found.predicted.stall_ms == found.statements[0].predicted.stall_ms <= found.predicted.transaction_ms


@only_in_full
def test_a_statement_over_many_rows_is_measured_at_two_sizes(app: Owner):
    app.run("CREATE TABLE many (id bigint PRIMARY KEY, note text, at timestamptz)")
    app.run("INSERT INTO many SELECT i, 'note ' || i, now() FROM generate_series(1, 40000) i")
    sql = "ALTER TABLE users ADD COLUMN IF NOT EXISTS x int;\nCREATE INDEX IF NOT EXISTS mi ON many (note);"
    found = rehearse(app.url, script(sql), predict=True)
    told = found.to_json()["statements"]
    assert told[1]["predicted_ms"]["low"] < told[1]["predicted_ms"]["ms"] < told[1]["predicted_ms"]["high"]
    # The first lock is held while the index is built.
    assert told[0]["stall_ms"] >= told[1]["predicted_ms"]["ms"] and told[1]["stall_ms"] is not None
    assert found.predicted.stall_ms == pytest.approx(told[0]["stall_ms"])
    assert found.predicted.error > 1

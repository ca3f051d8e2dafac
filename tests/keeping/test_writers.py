"""Writers go on while scripts destroy and while they are taken back: no acknowledged write is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from services.database.deployment.deploy import deploy
from services.database.deployment.guarded import Limits
from services.database.rollback.restoring import restore
from tests.campaign import sample
from tests.keeping.destructive_scripts import scripts
from tests.keeping.test_campaign import make_shop
from tests.keeping.writers import Writer, Written
from tests.services.database.app_database import Owner, script

__all__ = ["make_shop"]

PATIENT = Limits(attempts=60, pause_s=0.3)


@pytest.mark.parametrize("sql_text", sample(scripts()[::5] + scripts()[1::5] + scripts()[3::5], 1, seed=4))
def test_no_acknowledged_write_is_lost(make_shop: Callable[[], Owner], sql_text: str):
    shop = make_shop()
    pause = threading.Event()
    with Writer(shop.url, 1) as one, Writer(shop.url, 2) as two:
        pause.wait(0.15)
        done = deploy(
            shop.url, script(sql_text), release_id="r", plan_hash="h", actor="ann", job_id="up", limits=PATIENT
        )
        assert done.applied, done.summary
        pause.wait(0.15)
        if done.snapshot_id is not None:
            restore(shop.url, done.snapshot_id, undo=True, limits=PATIENT)
        pause.wait(0.1)
    lost = [*_lost(shop, one.written, two.written), *_lost(shop, two.written, one.written)]
    assert lost == []
    assert len(one.written.values) + len(one.written.rows) > 10


def _lost(shop: Owner, mine: Written, others: Written) -> list[object]:
    """Writes that are neither in place nor a conflict that names their row. Where two wrote, either stands."""
    conflicts = {(table, key[-1]) for table, key in shop.run("SELECT table_name, key FROM ops.conflicts")}
    lost: list[object] = []
    for (table, key_column, key, column), value in mine.values.items():
        found = shop.run(f"SELECT {column}::text FROM {table} WHERE {key_column}::text = '{key}'")
        allowed = {value, others.values.get((table, key_column, key, column), value)}
        if not (found and found[0][0] in allowed) and (table, key) not in conflicts:
            lost.append((table, key, column, value, found))
    for table, column, number in mine.rows:
        there = shop.value(f"SELECT count(*) FROM {table} WHERE {column} = {number}")
        if not there and (table, str(number)) not in conflicts:
            lost.append((table, number))
    return lost

"""A hundred scripts that destroy: deployed and taken back, catalog and rows are as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.database.deployment.deploy import deploy
from services.database.rollback.restoring import restore
from tests.campaign import sample
from tests.keeping.destructive_scripts import WORLD, scripts
from tests.services.database.app_database import Owner, script


@pytest.fixture
def make_shop(make_supabase_database: Callable[[], Any]) -> Iterator[Callable[[], Owner]]:
    """`make_shop()` gives a fresh database with the world that the scripts destroy."""
    opened: list[Owner] = []

    def make() -> Owner:
        owner = Owner(make_supabase_database().owner)
        owner.run(WORLD)
        opened.append(owner)
        return owner

    yield make
    for owner in opened:
        owner.conn.close()


def test_there_are_a_hundred_of_them():
    assert len(scripts()) == len(set(scripts())) >= 100


@pytest.mark.parametrize("sql_text", sample(scripts(), 2, seed=6))
def test_what_was_destroyed_is_as_it_was(make_shop: Callable[[], Owner], sql_text: str):
    shop = make_shop()
    before, rows = shop.fingerprint(), shop.rows()
    done = deploy(shop.url, script(sql_text), release_id="r", plan_hash="h", actor="ann", job_id="up")
    assert done.applied, done.summary
    assert done.snapshot_id is not None
    result = restore(shop.url, done.snapshot_id, undo=True)
    assert (result.conflicts, result.not_restored) == ([], [])
    assert shop.fingerprint().facts == before.facts
    assert shop.rows() == rows

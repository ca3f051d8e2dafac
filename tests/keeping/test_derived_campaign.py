"""A hundred scripts that destroy, none with a rollback: deployed, rolled back by what was derived, deployed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.database.deployment.deploy import deploy
from services.database.rollback.roll_back import rollback
from tests.campaign import sample
from tests.keeping.destructive_scripts import scripts
from tests.keeping.test_campaign import make_shop
from tests.services.database.app_database import Owner, script

__all__ = ["make_shop"]


@pytest.mark.parametrize("sql_text", sample(scripts(), 1, seed=6))
def test_deploy_roll_back_deploy_comes_out_the_same(make_shop: Callable[[], Owner], sql_text: str):
    shop = make_shop()
    before, rows = shop.fingerprint(), shop.rows()

    def up(job_id: str) -> None:
        done = deploy(
            shop.url,
            script(sql_text),
            release_id="r",
            plan_hash="h",
            actor="ann",
            job_id=job_id,
            keep_inverse=True,
        )
        assert done.applied, done.summary

    up("up")
    after = shop.fingerprint()
    done = rollback(shop.url, "r", (), actor="bob", may_copy=False)
    assert (done.verdict.value, done.fingerprint_restored, done.rows_lost, done.not_restored) == ("pass", True, 0, "")
    assert shop.fingerprint().facts == before.facts
    assert shop.rows() == rows
    up("again")
    assert shop.fingerprint().facts == after.facts

"""The released world looked at through the role without private columns, beside the one that may read everything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from pydantic import SecretStr

from services.analytics.metrics import NumberState, read_analytics
from services.checks.runner import run_checks
from services.connecting.reader_role import reader_role_sql
from services.jobs.checking import check_context
from services.sandbox.postgres import OWNER, READ_ONLY
from services.verdict import Evidence, Verdict
from tests.campaign import only_in_full
from tests.matrix.stage import RUN_S, Stage, stage

pytestmark = only_in_full
PASSWORD = "a-password-of-the-tests"
MORE = {"tiers-match-rule"}
"""What the reader is granted and a role that reads every table is not: to call the function of the tiers."""


@pytest.fixture(scope="module")
def released() -> Iterator[Stage]:
    with stage("after") as made:
        with psycopg.connect(made.one.world.cluster.dsn(OWNER), autocommit=True) as owner:
            owner.execute(reader_role_sql(made.app, password=PASSWORD).encode())
        yield made


@pytest.fixture(scope="module")
def reader(released: Stage) -> str:
    place = released.one.world.cluster.dsn(READ_ONLY).rpartition("@")[2]
    return f"postgresql://ops_reader:{PASSWORD}@{place}"


def look(released: Stage, address: str) -> dict[str, Evidence]:
    """Every check, by the address alone and without the owner's."""
    released.people_come()
    target = released.target.model_copy(update={"database_url": SecretStr(address), "deploy_url": None})
    context = check_context(released.store, target, released.app, datetime.now(UTC))
    found = run_checks(released.catalogue, released.catalogue.ids, context, context.now, within_s=RUN_S)
    return {one.check_id: one for one in found}


def test_every_check_says_the_same_without_private_columns(released: Stage, reader: str) -> None:
    whole, without = look(released, released.one.world.cluster.dsn(READ_ONLY)), look(released, reader)
    assert len(without) >= 60
    differing = {name: one.summary for name, one in without.items() if one.verdict is not whole[name].verdict}
    assert set(differing) <= MORE, differing
    assert without["tiers-match-rule"].verdict is Verdict.PASS
    verification = without["verification-clean"]
    assert verification.verdict is Verdict.UNKNOWN
    assert "permission denied for function probe_beta_release" in verification.summary
    assert verification.facts["not_clean"] == [
        "051_anon_is_refused",
        "052_user_sees_own_rows",
        "062_reset_works",
        "070_trigger_fires",
        "083_feedback_totals",
    ]


def test_the_numbers_are_the_same_and_what_needs_private_text_is_told_blocked(released: Stage, reader: str) -> None:
    now = datetime.now(UTC)
    address = released.one.world.cluster.dsn(READ_ONLY)
    whole = read_analytics(address, released.app.analytics, now, is_admin=True)
    without = read_analytics(reader, released.app.analytics, now, is_admin=True)
    assert without.metrics == whole.metrics
    assert {one.id: one.state for one in without.tables if one.state is not NumberState.VALUE} == {
        "beta_feedback_analysis": NumberState.BLOCKED
    }
    assert "permission denied for table ai_feedback" in without.tables[-1].note

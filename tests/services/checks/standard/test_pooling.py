"""The kinds of connection, told by a real pooler's behaviour and not by the address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from services.checks.standard.pooling import (
    DIRECT,
    SESSION,
    TRANSACTION,
    Way,
    connection_kind,
    judged,
    kind_by_address,
)
from services.settings import Level
from services.verdict import Verdict
from tests.services.checks.standard.conftest import SmallApp


def connect_raw(url: str) -> psycopg.Connection[Any]:
    """As an app connects: without any setting of ours."""
    return psycopg.connect(url, autocommit=True, prepare_threshold=None)


def test_a_direct_connection_keeps_everything(small_app: SmallApp) -> None:
    found = connection_kind(small_app.context())
    assert (found.verdict, found.facts["read"], found.facts["deploy"]) == (Verdict.PASS, DIRECT, DIRECT)
    seen = found.facts["seen"]["deploy"]
    assert (seen["settings_last"], seen["locks_hold"], seen["prepared_last"]) == (True, True, True)
    assert seen["cannot"] == []


def test_a_session_pooler_passes(small_app: SmallApp, pooler: Callable[[str], str]) -> None:
    found = connection_kind(small_app.context(deploy_url=pooler("session")))
    assert (found.verdict, found.facts["deploy"]) == (Verdict.PASS, SESSION)


def test_a_transaction_pooler_is_a_finding_for_the_deploy(small_app: SmallApp, pooler: Callable[[str], str]) -> None:
    found = connection_kind(small_app.context(deploy_url=pooler("transaction")))
    seen = found.facts["seen"]["deploy"]
    assert (found.verdict, found.facts["deploy"], seen["settings_last"]) == (Verdict.FAIL, TRANSACTION, False)
    assert "hold a session's advisory lock" in seen["cannot"]
    assert seen["by_address"] == DIRECT


def test_a_transaction_pooler_is_good_enough_for_reading(small_app: SmallApp, pooler: Callable[[str], str]) -> None:
    found = connection_kind(small_app.context(database_url=pooler("transaction")))
    assert (found.verdict, found.facts["read"], found.facts["deploy"]) == (Verdict.PASS, TRANSACTION, DIRECT)
    assert "cannot" in found.summary


def test_no_lock_and_no_statement_is_left_on_the_servers_of_a_pooler(
    small_app: SmallApp, pooler: Callable[[str], str]
) -> None:
    connection_kind(small_app.context(database_url=pooler("transaction"), deploy_url=pooler("session")))
    assert small_app.rows("select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]


def test_no_setting_of_ours_is_left_on_the_servers_of_a_pooler(
    small_app: SmallApp, pooler: Callable[[str], str]
) -> None:
    url = pooler("transaction")
    with connect_raw(url) as one, connect_raw(url) as two, one.transaction(), two.transaction():
        before = [conn.execute("show statement_timeout").fetchone() for conn in (one, two)]
    connection_kind(small_app.context(deploy_url=url))
    with connect_raw(url) as one, connect_raw(url) as two, one.transaction(), two.transaction():
        assert [conn.execute("show statement_timeout").fetchone() for conn in (one, two)] == before
        assert {conn.execute("select current_setting('ops.probe', true)").fetchone() for conn in (one, two)} <= {
            (None,),
            ("",),
        }


def test_without_the_level_the_address_of_the_deploy_is_not_touched(small_app: SmallApp) -> None:
    context = small_app.context(levels=frozenset({Level.LOOK, Level.OBSERVE}))
    assert "deploy" not in connection_kind(context).facts


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://u@db.example.com:5432/postgres", DIRECT),
        ("postgresql://u@db.example.com:6543/postgres", TRANSACTION),
        ("postgresql://u@aws-0-eu.pooler.example.com:5432/postgres", SESSION),
    ],
)
def test_what_the_address_says(url: str, kind: str) -> None:
    assert kind_by_address(url) == kind


@pytest.mark.parametrize(
    ("way", "kind"),
    [
        (Way(TRANSACTION, False, True, True, True, True), DIRECT),
        (Way(DIRECT, True, True, True, True, True), SESSION),
        (Way(DIRECT, True, True, True, False, True), TRANSACTION),
        (Way(DIRECT, True, True, True, True, False), TRANSACTION),
        (Way(DIRECT, True, True, False, None, None), TRANSACTION),
    ],
)
def test_what_is_seen_outranks_the_address(way: Way, kind: str) -> None:
    assert way.kind == kind
    assert (judged({"deploy": way}, {}).verdict is Verdict.FAIL) == (kind == TRANSACTION)

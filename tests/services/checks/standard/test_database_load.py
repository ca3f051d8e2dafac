"""How loaded the database is: numbers with the same names each time, judged at their limits."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from services.checks.standard import database_load
from services.checks.standard.database_load import (
    cache_hit,
    cached,
    connections,
    connections_left,
    disk,
    disk_space,
    slow,
    slow_statements,
)
from services.clients.supabase import DiskUse
from services.database.connect import connect
from services.database.server import scratch_server
from services.verdict import Verdict
from tests.services.checks.standard.conftest import SmallApp


def test_connections_are_counted_by_application(small_app: SmallApp, session: psycopg.Connection[Any]) -> None:
    found = connections_left(small_app.context())
    facts = found.facts
    assert found.verdict is Verdict.PASS
    assert facts["by_application"]["somebody else"] == 1
    assert facts["left"] == facts["limit"] - facts["used"]


def test_being_turned_away_is_the_answer(small_app: SmallApp, session: psycopg.Connection[Any]) -> None:
    name = small_app.owner.rsplit("/", 1)[1]
    session.execute(f"alter database {name} connection limit 1".encode())
    found = connections_left(small_app.context())
    assert (found.verdict, found.facts["left"], found.facts["reason"]) == (Verdict.FAIL, 0, "connections")
    session.execute(f"alter database {name} connection limit -1".encode())


@pytest.mark.parametrize(
    ("used", "limit", "verdict"),
    [(89, 100, Verdict.PASS), (90, 100, Verdict.FAIL), (3, None, Verdict.UNKNOWN)],
)
def test_few_connections_left_is_a_finding(used: int, limit: int | None, verdict: Verdict) -> None:
    assert connections({"app": used}, limit).verdict is verdict


def test_every_finding_about_connections_has_the_same_facts() -> None:
    keys = {"used", "limit", "left", "share", "by_application", "reason"}
    assert set(connections({}, None, turned_away="pooler-full").facts) == set(connections({"app": 1}, 10).facts) == keys


def test_a_statement_that_runs_long_is_shown_without_its_words(
    small_app: SmallApp, session: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_load, "RUNNING_S", 0.05)
    running = threading.Thread(target=session.execute, args=("select pg_sleep(0.8) /* x */, 'something private'",))
    running.start()
    try:
        small_app.rows("select pg_sleep(0.2)")
        found = slow_statements(small_app.context())
    finally:
        running.join()
    (one,) = found.facts["running"]
    assert (found.verdict, one["statement"]) == (Verdict.FAIL, "select pg_sleep(?) , ?")
    assert one["application"] == "somebody else"


def test_where_sessions_are_hidden_from_our_role_nothing_is_called_quick(
    small_app: SmallApp, session: psycopg.Connection[Any]
) -> None:
    found = slow_statements(small_app.context(deploy_url=None))
    assert (found.verdict, found.facts["hidden_sessions"]) == (Verdict.UNKNOWN, 1)


def test_the_slowest_statements_are_those_that_the_server_counted() -> None:
    with scratch_server(options={"shared_preload_libraries": "pg_stat_statements"}) as server:
        url = server.dsn("postgres")
        with connect(url) as conn:
            conn.execute("create extension pg_stat_statements")
            conn.execute("create role app")
            conn.execute("set role app")
            for number in (1, 2, 3):
                conn.execute(f"select pg_sleep(0.02), 'private {number}'".encode())
            conn.execute("reset role")
            counted = database_load._counted(conn, "public")
    slowest = counted[0]
    assert (slowest["calls"], slowest["statement"]) == (3, "select pg_sleep($1), $2")
    assert slowest["mean_ms"] >= 20


@pytest.mark.parametrize(("mean_ms", "verdict"), [(1999.0, Verdict.PASS), (2001.0, Verdict.FAIL)])
def test_a_statement_slower_than_an_answer_may_be_is_a_finding(mean_ms: float, verdict: Verdict) -> None:
    counted = [{"statement": "select ?", "calls": 9, "mean_ms": mean_ms, "max_ms": mean_ms}]
    found = slow(counted, [], 0, 2.0)
    assert (found.verdict, found.facts["source"]) == (verdict, "pg_stat_statements")


def test_without_a_count_only_what_runs_now_is_judged() -> None:
    found = slow(None, [], 0, 2.0)
    assert (found.verdict, found.facts["source"], found.facts["slowest_mean_ms"]) == (
        Verdict.PASS,
        "pg_stat_activity",
        None,
    )


@pytest.mark.parametrize(
    ("hit", "read", "verdict"),
    [(9_000, 1_000, Verdict.PASS), (8_999, 1_001, Verdict.FAIL), (100, 1, Verdict.UNKNOWN), (0, 0, Verdict.UNKNOWN)],
)
def test_the_share_of_blocks_from_memory(hit: int, read: int, verdict: Verdict) -> None:
    assert cached(hit, read).verdict is verdict


def test_the_database_tells_its_blocks(small_app: SmallApp) -> None:
    assert cache_hit(small_app.context()).facts["blocks_hit"] >= 0


def test_a_disk_that_is_not_visible_is_not_called_roomy(small_app: SmallApp) -> None:
    found = disk_space(small_app.context())
    assert (found.verdict, found.facts["share"]) == (Verdict.UNKNOWN, None)
    assert found.facts["database_bytes"] > 1_000_000
    assert "disk not visible" in found.summary


@pytest.mark.parametrize(("used", "verdict"), [(899, Verdict.PASS), (900, Verdict.FAIL)])
def test_how_full_the_disk_is(used: int, verdict: Verdict) -> None:
    found = disk(10, DiskUse(1000, used, 1000 - used))
    assert (found.verdict, found.facts["free_bytes"]) == (verdict, 1000 - used)

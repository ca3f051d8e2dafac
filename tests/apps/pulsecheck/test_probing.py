"""Probes on a world that really breaks: what is lost, late, killed or written elsewhere leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from apps.pulsecheck import late_calls
from apps.pulsecheck.checks.ai import ai_quality
from apps.pulsecheck.probe_rows import SqlRows
from services.clients.deadline import deadline
from services.errors import Unavailable
from services.sandbox.postgres import OWNER
from services.sandbox.target_file import target_values
from services.verdict import Verdict
from tests.apps.pulsecheck.conftest import ROOT, Live
from tests.campaign import only_in_full, sample

MARKED = "select count(*) from journal_entries where content like '%%ops-probe-%%'"
CALLS = "select count(*) from ai_usage_logs"
WRITING = ("journal-roundtrip", "feedback-stored", "ai-quality", "response-quality", "rate-limit", "admin-numbers")


def until(happened: Callable[[], bool], within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def the_same_rows(live: Live) -> Iterator[None]:
    before = live.rows()
    yield
    assert live.rows() == before


def test_a_write_whose_reply_is_lost_is_found_removed_and_unknown(live: Live) -> None:
    with the_same_rows(live), live.broken("app-reply-lost"):
        seen = live.look("journal-roundtrip", "feedback-stored", "ai-quality")
    for one in seen.values():
        assert (one.verdict, one.facts["stored"], one.facts["reply_lost"]) == (Verdict.UNKNOWN, 1, True)
        assert "is stored, the reply was lost" in one.summary
    assert seen["journal-roundtrip"].facts["stages"]["stored"] == "pass"


@pytest.mark.parametrize("fault", ["app-web-page", "app-broken-json", "app-wrong-type"])
def test_what_is_not_understood_is_unknown_everywhere(live: Live, fault: str) -> None:
    names = ("api-answers", "docs-served", "route-inventory", "stats-answer", "admin-public", "ai-app-key", *WRITING)
    with the_same_rows(live), live.broken(fault):
        seen = live.look(*names)
    assert {name: one.verdict.value for name, one in seen.items()} == dict.fromkeys(names, "unknown")
    assert {one.facts["kind"] for one in seen.values()} == {"not-understood"}


@pytest.mark.parametrize("fault", ["app-needs-token", "app-rate-limited"])
def test_not_being_let_in_is_unknown_everywhere(live: Live, fault: str) -> None:
    names = ("api-answers", "docs-served", "route-inventory", "stats-answer", "admin-public", "ai-app-key", *WRITING)
    with the_same_rows(live), live.broken(fault):
        seen = live.look(*names)
    assert {name: one.verdict.value for name, one in seen.items()} == dict.fromkeys(names, "unknown")


@pytest.mark.parametrize("missing", [{"deploy_url": None}, {"deploy_url": None, "database_url": None}])
def test_where_no_database_connection_may_write_rows_are_found_and_removed_by_rest(
    live: Live, missing: dict[str, Any]
) -> None:
    with the_same_rows(live):
        seen = live.look("journal-roundtrip", "feedback-stored", "ai-quality", "rate-limit", **missing)
    assert {one.verdict for one in seen.values()} == {Verdict.PASS}, [one.summary for one in seen.values()]


def test_where_nothing_could_be_removed_it_is_said_and_nothing_is_written(live: Live) -> None:
    nothing = {"deploy_url": None, "database_url": None, "supabase_service_key": None}
    with the_same_rows(live):
        seen = live.look("journal-roundtrip", "ai-quality", **nothing)
    assert {one.facts["error"] for one in seen.values()} == {"NotTried"}
    assert all("Nothing was written" in one.summary for one in seen.values())


@pytest.mark.campaign
@only_in_full
def test_entries_that_do_not_land_are_told_and_no_more_of_them_are_written(live: Live) -> None:
    with the_same_rows(live), live.broken("app-on-other-database"):
        seen = live.look("journal-roundtrip", "feedback-stored", "ai-quality", "response-quality")
    assert seen.pop("journal-roundtrip").verdict is Verdict.FAIL
    for one in seen.values():
        assert (one.verdict, one.facts.get("stored", 0)) == (Verdict.UNKNOWN, 0), one.summary


@pytest.mark.campaign
@only_in_full
def test_reads_from_an_old_copy_are_found(live: Live) -> None:
    with the_same_rows(live), live.broken("journal-reads-stale"):
        seen = live.look("journal-roundtrip")["journal-roundtrip"]
    assert (seen.verdict, seen.facts["read_status"]) == (Verdict.FAIL, 404)
    assert (seen.facts["stages"]["stored"], seen.facts["stages"]["listed"]) == ("pass", "fail")


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("fault", "why", "whose"),
    sample(
        [
            ("openai-app-key-bad", "key-rejected", "app"),
            ("openai-bad-key", "key-rejected", "both"),
            ("openai-app-no-quota", "quota", "app"),
            ("openai-region-blocked", "region", "both"),
            ("openai-unreachable", "network", "both"),
            ("ai-code-bug", "code-bug", "none"),
        ],
        3,
        seed=20260311,
    ),
)
def test_a_canned_ai_is_explained_by_the_apps_own_key(live: Live, fault: str, why: str, whose: str) -> None:
    with the_same_rows(live), live.broken(fault):
        seen = live.look("ai-app-key")["ai-app-key"]
    assert (seen.verdict, seen.facts["why"], seen.facts["whose"]) == (Verdict.FAIL, why, whose), seen.summary


def test_our_own_broken_key_says_nothing_against_the_app(live: Live) -> None:
    with live.broken("openai-our-key-bad"):
        seen = live.look("ai-app-key")["ai-app-key"]
    assert (seen.verdict, seen.facts["why"]) == (Verdict.PASS, None)


def test_a_usage_row_that_comes_after_we_gave_up_is_removed_by_the_next_run(live: Live) -> None:
    with the_same_rows(live):
        (calls,) = live.sql(CALLS)[0]
        with live.broken("openai-timeout"):
            with deadline(2.5), pytest.raises(Unavailable):
                raise Unavailable(ai_quality(live.context()).summary)
            assert live.sql("select sum(calls) from ops.late_calls") == [(2,)]
            until(lambda: live.sql(CALLS)[0][0] == calls + 2)
        assert live.look("journal-roundtrip")["journal-roundtrip"].verdict is Verdict.PASS
    assert live.sql("select count(*) from ops.late_calls") == [(0,)]


@pytest.mark.parametrize(("rows_that_came", "removed"), [(1, 1), (2, 2), (3, 0)])
def test_more_late_rows_than_we_made_calls_may_be_somebody_elses_and_stay(
    live: Live, rows_that_came: int, removed: int
) -> None:
    log = "insert into ai_usage_logs (user_id, response_time_ms, model_used) values ('late-caller', 10, 'late')"
    try:
        with psycopg.connect(live.world.world.cluster.dsn(OWNER), autocommit=True, row_factory=dict_row) as conn:
            rows = SqlRows(conn)
            noted = late_calls.note(rows, "ops-probe-late", "late-caller", 2)
            late_calls.settle(rows, noted, late=2)
            for _ in range(rows_that_came):
                live.sql(log)
            assert late_calls.collect(rows) == removed
    finally:
        live.sql("delete from ai_usage_logs where user_id = 'late-caller'")
        live.sql("delete from ops.late_calls")


CHILD = """
import json, sys
from datetime import UTC, datetime
from services.app_definition import load_app
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.runner import run_checks
from services.settings import Target
target = Target.model_validate(json.load(open(sys.argv[1])))
app, now = load_app("pulsecheck"), datetime.now(UTC)
run_checks(catalogue_of(app), sys.argv[2:], CheckContext.create(target, app, now), now)
"""


IN_THE_MIDDLE = {
    "journal-roundtrip": MARKED,
    "response-quality": "select count(*) from ops.late_calls",  # noted just before the companion is asked
}


@pytest.mark.parametrize("check", list(IN_THE_MIDDLE))
def test_what_a_killed_check_has_left_is_swept_by_the_next_run(live: Live, check: str, tmp_path: Path) -> None:
    file = tmp_path / "target.json"
    file.write_text(json.dumps(target_values(live.world.world, "http://127.0.0.1:9")))
    (before,) = live.sql(CALLS)[0]
    with the_same_rows(live):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(file), check], cwd=ROOT)
        try:
            until(lambda: live.sql(IN_THE_MIDDLE[check])[0][0] > 0)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait(10)
        assert live.sql(MARKED)[0][0] > 0
        assert live.look("journal-roundtrip")["journal-roundtrip"].verdict is Verdict.PASS
        assert live.sql(MARKED) == [(0,)]
        (calls,) = live.sql(CALLS)[0]
        if calls != before:
            # An AI call was under way when it was killed: its row came later, and goes with the run after that.
            live.look("journal-roundtrip")

"""The client and the checks on every build of PulseCheck that there is, really running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from apps.pulsecheck.callers import api_of, asks_for_token
from apps.pulsecheck.client import LOCKED, NOT_LOADED, Entry, PulseCheck, one_object, too_many
from apps.pulsecheck.twin.definition import BETA, NEWEST, OLD
from services.checks.context import NotTried
from services.clients.http import Answer
from services.verdict import Verdict
from tests.apps.pulsecheck.conftest import Live

BUILDS = {"old": OLD.commit, "beta": BETA.commit, "newest": NEWEST.commit}
WORDS = "Contract of the client, on a build that really runs [ops-probe-contract]"


@pytest.fixture(scope="module", params=list(BUILDS))
def build(request: pytest.FixtureRequest, live: Live) -> str:
    name: str = request.param
    live.serve(BUILDS[name])
    return name


def test_journal_and_companion_answer_alike_on_every_build(live: Live, build: str) -> None:
    context = live.context()
    api = api_of(context)
    assert asks_for_token(context) is (build == "newest")
    entry = one_object(api.create_entry(Entry(WORDS, 7, 6, 5)))
    try:
        assert one_object(api.entry(entry["id"]))["content"] == WORDS
        assert entry["id"] in [one["id"] for one in one_object(api.entries())["entries"]]
        assert {"message", "suggested_actions", "follow_up_question"} <= set(one_object(api.pulse(entry["id"])))
        assert {"insights", "overall_wellness_score"} <= set(one_object(api.analysis(entry["id"])))
        assert one_object(api.stats())["total_entries"] >= 1
        assert api.create_entry(Entry("short", 7, 6, 5)).status == 422
        answer, shape = api.feedback_as_understood(entry["id"], "thumbs_up", "ops-probe-contract")
        assert (answer.status in NOT_LOADED) if build == "old" else answer.status == 200
        assert build == "old" or shape == ("json" if build == "newest" else "query")
    finally:
        live.sql("delete from ai_feedback where feedback_text = 'ops-probe-contract'")
        live.sql("delete from ai_usage_logs where created_at >= %s", context.now)
        live.sql("delete from journal_entries where content = %s", WORDS)


def test_each_admin_endpoint_answers_in_its_shape_or_is_not_loaded(live: Live, build: str) -> None:
    api = api_of(live.context(), "admin")
    keys: Mapping[Callable[[], Answer], str] = {
        api.admin_daily: "total_ai_interactions",
        api.admin_weekly: "weekly_metrics",
        api.admin_users: "users",
        api.admin_feedback: "overall_sentiment",
        api.admin_costs: "cost_summary",
        api.admin_health: "health_score",
        api.admin_export: "daily_metrics",
        api.reset_usage: "message",
    }
    for call, key in keys.items():
        answer = call()
        if build == "old":
            assert answer.status in NOT_LOADED
        else:
            assert key in one_object(answer.expect())


def test_what_only_some_builds_have_is_told_by_status(live: Live, build: str) -> None:
    api = PulseCheck(live.target.app_url or "")
    newest = build == "newest"
    assert {one().status for one in (api.health_fast, api.ready, api.health_detailed)} == {200 if newest else 404}
    assert {one().status for one in (api.docs, api.openapi)} == {404 if newest else 200}
    assert api.root().ok
    assert (api.entries().status in LOCKED) is newest
    assert api.empty_feedback().status in {"old": NOT_LOADED, "beta": (422,), "newest": LOCKED}[build]


def test_the_newest_build_says_too_many_in_its_own_shape(live: Live) -> None:
    live.serve(NEWEST.commit)
    api = api_of(live.context(), "admin")
    refused = next(found for _ in range(12) if (found := too_many(api.reset_usage())) is not None)
    assert (refused.of_the_day, "per 1 minute" in refused.message) == (False, True)


@pytest.fixture(scope="module")
def newest(live: Live) -> dict[str, Any]:
    """Everything that goes through the app, on the newest build, and the rows around it."""
    from apps.pulsecheck.checks import through_the_app

    live.serve(NEWEST.commit)
    rows = live.rows()
    seen = live.look(*(spec.id for spec in through_the_app.specs()))
    return {"seen": seen, "before": rows, "after": live.rows()}


def test_the_newest_build_passes_with_test_accounts(newest: dict[str, Any]) -> None:
    not_passed = {name for name, one in newest["seen"].items() if one.verdict is not Verdict.PASS}
    assert not_passed == {"admin-role"}, [newest["seen"][name].summary for name in not_passed]


def test_a_role_that_users_give_themselves_is_a_finding(newest: dict[str, Any]) -> None:
    found = newest["seen"]["admin-role"]
    assert (found.verdict, found.facts["status"]) == (Verdict.FAIL, 200)


def test_a_day_of_calls_is_used_up_by_the_test_account_alone(newest: dict[str, Any]) -> None:
    facts = newest["seen"]["rate-limit"].facts
    assert (facts["shared_user"], facts["status"]) == (False, 429)
    assert facts["answered"] == facts["limit"] == facts["counted"]


def test_the_probes_of_the_newest_build_leave_no_row(newest: dict[str, Any]) -> None:
    assert newest["before"] == newest["after"]


def test_without_an_account_that_edited_its_metadata_the_one_for_probes_does_and_puts_it_back(live: Live) -> None:
    live.serve(NEWEST.commit)
    accounts = tuple(one for one in live.target.probe_accounts if one.purpose != "edited-metadata")
    seen = live.look("admin-role", probe_accounts=accounts)["admin-role"]
    assert seen.verdict is Verdict.FAIL
    again = live.look("admin-role", probe_accounts=accounts)["admin-role"]
    assert (again.verdict, again.facts["status"]) == (Verdict.FAIL, 200)
    context = live.context(probe_accounts=accounts)
    assert api_of(context, "probe").admin_daily().status == 403


def test_without_accounts_the_checks_say_what_is_missing_and_write_nothing(live: Live) -> None:
    live.serve(NEWEST.commit)
    rows = live.rows()
    names = ("journal-roundtrip", "stats-answer", "ai-quality", "rate-limit", "admin-numbers", "admin-role")
    seen = live.look(*names, probe_accounts=())
    assert {one.verdict for one in seen.values()} == {Verdict.UNKNOWN}
    assert {one.facts.get("error") for one in seen.values()} == {NotTried.__name__}
    assert all("no test account" in one.summary for one in seen.values())
    assert live.rows() == rows

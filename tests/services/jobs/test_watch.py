"""Watching: only what somebody looks at, never what writes, and within what each upstream lets us ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import services.jobs.watch as watch
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.checks.registry import Catalogue, CheckSpec, Cost
from services.jobs.pace import CALLS_PER_HOUR, REFRESH, intervals
from services.jobs.watch import INTEREST, refresh, show_interest
from services.releases.ledger import newest_evidence
from services.settings import Settings
from services.store.database import Store
from services.verdict import Evidence, Finding, Verdict
from tests.services.conftest import NOON


def spec(check_id: str, *touches: str, calls: int = 1, tokens: int = 0, mutates: bool = False) -> CheckSpec:
    return CheckSpec(
        check_id,
        check_id,
        "",
        lambda context: Finding(Verdict.PASS, "seen"),
        ("before",),
        touches,
        cost=Cost(calls, tokens),
        mutates=mutates,
        expires_s=900,
    )


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    catalogue = Catalogue([spec("free", "app"), spec("writes", "database", mutates=True)])
    monkeypatch.setattr(watch, "catalogue_of", lambda _: catalogue)
    monkeypatch.setattr(watch, "watched_checks", lambda _: ["free", "writes"])
    return ["free", "writes"]


def test_what_nobody_looks_at_is_not_asked(store: Store, settings: Settings, watched: list[str]) -> None:
    assert refresh(settings, store, NOON) is False
    assert newest_evidence(store, "staging", watched) == {}


def test_what_somebody_looks_at_is_kept_fresh_and_nothing_is_written(
    store: Store, settings: Settings, watched: list[str]
) -> None:
    show_interest(store, "staging", "war-room", NOON)
    assert refresh(settings, store, NOON) is True
    assert newest_evidence(store, "staging", watched).keys() == {"free"}
    assert refresh(settings, store, NOON + timedelta(seconds=1)) is False
    assert refresh(settings, store, NOON + REFRESH + timedelta(seconds=1)) is True


def test_of_several_workers_one_at_a_time_looks_at_a_target(
    store: Store, settings: Settings, watched: list[str]
) -> None:
    show_interest(store, "staging", "war-room", NOON)
    assert refresh(settings, store, NOON, holder="a") is True
    later = NOON + REFRESH + timedelta(seconds=1)
    assert refresh(settings, store, later, holder="b") is False
    assert refresh(settings, store, later, holder="a") is True
    show_interest(store, "staging", "war-room", later + watch.WATCHES)
    assert refresh(settings, store, later + watch.WATCHES, holder="b") is True, "a is gone, and its turn is over"


def test_interest_ends_by_itself(store: Store, settings: Settings, watched: list[str]) -> None:
    show_interest(store, "staging", "war-room", NOON)
    assert refresh(settings, store, NOON + INTEREST) is False


def test_a_look_that_costs_money_is_repeated_only_when_its_evidence_ends() -> None:
    assert intervals([spec("paid", "OpenAI", tokens=20)])["paid"] == timedelta(seconds=900)


def test_counted_calls_stay_within_the_upstreams_share() -> None:
    specs = [spec(f"check-{number}", "Railway", calls=3) for number in range(4)]
    an_hour = sum(timedelta(hours=1) / pause * 3 for pause in intervals(specs).values())
    assert an_hour == pytest.approx(CALLS_PER_HOUR["Railway"])


def looked(check_id: str, age_s: float = 5, **facts: Any) -> Evidence:
    started = NOON - timedelta(seconds=age_s)
    return Evidence(check_id, "t", Verdict.PASS, "Seen.", facts, {}, "", started, 1, 1, NOON)


def allowing(left: int, per: str = "hour", upstream: str = "Railway") -> dict[str, Any]:
    return {"allowance": {upstream: {"left": left, "of": 1000, "per": per}}}


@pytest.mark.parametrize(("left", "times"), [(999, 1), (500, 1), (250, 2), (125, 4)])
def test_with_less_left_the_upstream_is_asked_less_in_proportion(left: int, times: float) -> None:
    specs = [spec("log", "Railway"), spec("state", "Railway"), spec("other", "app")]
    calm, slow = intervals(specs), intervals(specs, {"log": looked("log", **allowing(left))})
    assert slow["state"] == calm["state"] * times
    assert slow["other"] == calm["other"]


@pytest.mark.parametrize(("per", "pause"), [("hour", timedelta(minutes=15)), ("minute", timedelta(seconds=15))])
def test_with_hardly_anything_left_it_is_only_asked_whether_the_window_is_over(per: str, pause: timedelta) -> None:
    specs = [spec("log", "Railway")]
    assert intervals(specs, {"log": looked("log", **allowing(20, per))})["log"] == pause


def test_the_newest_answer_of_an_upstream_counts_whichever_check_got_it() -> None:
    specs = [spec("log", "Railway"), spec("state", "Railway")]
    seen = {"log": looked("log", 60, **allowing(20)), "state": looked("state", 5)}
    assert intervals(specs, seen) == intervals(specs)


@pytest.mark.parametrize(
    ("told", "pause_s"), [({"retry_after_s": 300.0}, 300), ({}, 60), ({"retry_after_s": 1e9}, 3600)]
)
def test_an_upstream_that_asked_us_to_wait_is_not_asked_before(told: dict[str, Any], pause_s: float) -> None:
    refused = looked("log", kind="rate-limited", upstream="Railway", **told)
    assert intervals([spec("log", "Railway")], {"log": refused})["log"] == timedelta(seconds=pause_s)


def test_a_watch_of_what_the_app_does_not_use_is_left_out(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Catalogue([spec("free", "app"), spec("key", "OpenAI")], uses=("app",))
    monkeypatch.setattr(watch, "catalogue_of", lambda _: catalogue)
    monkeypatch.setattr(watch, "watched_checks", lambda _: ["free", "key"])
    show_interest(store, "staging", "war-room", NOON)
    assert refresh(settings, store, NOON) is True
    assert newest_evidence(store, "staging", ["free", "key"]).keys() == {"free"}


def test_pulsechecks_own_watch_fits() -> None:
    app = load_app("pulsecheck")
    catalogue = catalogue_of(app)
    specs = [catalogue[check] for check in watch.watched_checks(app) if not catalogue[check].mutates]
    pauses = intervals(specs)
    for upstream, allowed in CALLS_PER_HOUR.items():
        used = sum(timedelta(hours=1) / pauses[one.id] * one.cost.calls for one in specs if upstream in one.touches)
        assert used <= allowed * 1.001

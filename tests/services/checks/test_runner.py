"""The runner: side by side, bounded, in lanes, and whatever happens inside a check ends as evidence."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from services.checks.context import CheckContext
from services.checks.registry import EVERYTHING, Catalogue
from services.checks.runner import run_checks
from services.clients.budget import Budget
from services.clients.deadline import remaining
from services.clients.http import Kind, UpstreamError
from services.errors import NotUnderstood, Refused
from services.settings import Level
from services.verdict import Evidence, Finding, Verdict
from tests.services.checks.conftest import NOW, Run, passing, spec


def run_one(context: CheckContext, run: Run, **options: Any) -> Evidence:
    return run_checks(Catalogue([spec("it", run, **options)]), ["it"], context, NOW, grace_s=0.2)[0]


def raising(error: Exception) -> Run:
    def run(_context: CheckContext) -> Finding:
        raise error

    return run


def test_evidence_carries_its_circumstances(context: CheckContext) -> None:
    seen = run_one(context, passing, expires_s=60, version=3)
    assert (seen.check_id, seen.target, seen.verdict, seen.check_version) == ("it", "staging", Verdict.PASS, 3)
    assert NOW <= seen.started < NOW + timedelta(seconds=5)
    assert seen.expires - seen.started == timedelta(seconds=60)
    assert len(seen.digest) == 64


@pytest.mark.parametrize("kind", list(Kind))
def test_no_answer_of_whatever_kind_is_unknown_and_says_the_kind(context: CheckContext, kind: Kind) -> None:
    seen = run_one(context, raising(UpstreamError("Thing", kind, "Thing did not answer.", status=503)))
    assert seen.verdict is Verdict.UNKNOWN
    assert seen.facts == {"upstream": "Thing", "kind": kind.value, "status": 503}
    assert seen.summary.startswith("Thing did not answer.")


def test_a_refusal_is_unknown_with_its_sentence(context: CheckContext) -> None:
    seen = run_one(context, raising(Refused("Not allowed.", do="Ask.")))
    assert (seen.verdict, seen.summary) == (Verdict.UNKNOWN, "Not allowed. Ask.")


def test_a_bug_in_a_check_is_unknown_and_names_its_place_but_not_its_words(context: CheckContext) -> None:
    seen = run_one(context, raising(KeyError("journal text of a user")))
    assert seen.verdict is Verdict.UNKNOWN
    assert "journal text" not in str(seen.to_json())
    assert str(seen.facts["where"]).startswith("test_runner.py:")


def test_a_check_that_outlives_its_deadline_is_unknown_and_the_rest_goes_on(context: CheckContext) -> None:
    hold = threading.Event()

    def hang(_context: CheckContext) -> Finding:
        hold.wait(10)
        return passing(_context)

    started = time.monotonic()
    catalogue = Catalogue([spec("hangs", hang, deadline_s=0.1), spec("fine")])
    hangs, fine = run_checks(catalogue, catalogue.ids, context, NOW, at_once=1, grace_s=0.1)
    took = time.monotonic() - started
    hold.set()
    assert (hangs.verdict, fine.verdict) == (Verdict.UNKNOWN, Verdict.PASS)
    assert took < 2


def test_calls_inside_a_check_know_its_deadline(context: CheckContext) -> None:
    left: list[float] = []

    def look(_context: CheckContext) -> Finding:
        left.append(remaining(100))
        return passing(_context)

    run_one(context, look, deadline_s=2)
    assert 1 < left[0] <= 2


def test_a_level_that_is_not_granted_is_named_and_nothing_is_run(context: CheckContext) -> None:
    ran: list[bool] = []

    def run(_context: CheckContext) -> Finding:
        ran.append(True)
        return passing(_context)

    seen = run_one(context, run, level=Level.PROBE)
    assert (seen.verdict, ran) == (Verdict.UNKNOWN, [])
    assert "'probe'" in seen.summary
    assert seen.facts == {"missing_level": "probe"}


def test_where_writing_is_not_allowed_a_check_may_look_without(context: CheckContext) -> None:
    def write(_context: CheckContext) -> Finding:
        return Finding(Verdict.FAIL, "Written.")

    def read(_context: CheckContext) -> Finding:
        return Finding(Verdict.UNKNOWN, "Only read.")

    options: dict[str, Any] = {"level": Level.PROBE, "mutates": True, "without_writing": read}
    seen = run_one(context, write, **options)
    assert (seen.summary, "marker" in seen.input) == ("Only read.", False)
    target = context.target.model_copy(update={"levels": frozenset(Level)})
    allowed = CheckContext.create(target, context.app, NOW)
    assert run_one(allowed, write, **options).summary == "Written."
    outside = CheckContext.create(target.model_copy(update={"levels": frozenset({Level.LOOK})}), context.app, NOW)
    assert run_one(outside, write, **options).facts == {"missing_level": "observe"}


def test_a_setting_that_is_missing_is_named_and_nothing_is_run(context: CheckContext) -> None:
    seen = run_one(context, passing, needs=("app_url",))
    assert (seen.verdict, seen.facts) == (Verdict.UNKNOWN, {"missing_settings": ["app_url"]})


def test_no_secret_of_the_target_is_in_any_evidence(context: CheckContext) -> None:
    def tell(_context: CheckContext) -> Finding:
        return Finding(Verdict.FAIL, "key odd-secret-value", {"deep": [{"key": "odd-secret-value"}]})

    assert "odd-secret-value" not in str(run_one(context, tell).to_json())


def test_evidence_comes_in_the_order_asked_for_and_each_check_once(context: CheckContext) -> None:
    catalogue = Catalogue([spec("a"), spec("b"), spec("c")])
    assert [one.check_id for one in run_checks(catalogue, ["c", "a", "c"], context, NOW)] == ["c", "a"]


def test_an_unknown_id_is_not_understood_before_anything_runs(context: CheckContext) -> None:
    ran: list[bool] = []

    def run(_context: CheckContext) -> Finding:
        ran.append(True)
        return passing(_context)

    with pytest.raises(NotUnderstood, match="nope"):
        run_checks(Catalogue([spec("a", run)]), ["a", "nope"], context, NOW)
    assert ran == []


def watch_crowd(lane: str | None, at_once: int, context: CheckContext) -> int:
    """The most checks that ran at the same time, of six."""
    lock, inside, most = threading.Lock(), [0], [0]

    def run(_context: CheckContext) -> Finding:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.05)
        with lock:
            inside[0] -= 1
        return passing(_context)

    catalogue = Catalogue([spec(f"c{number}", run, lane=lane) for number in range(6)])
    run_checks(catalogue, catalogue.ids, context, NOW, at_once=at_once)
    return most[0]


def test_checks_run_side_by_side_up_to_the_bound(context: CheckContext) -> None:
    assert watch_crowd(None, 3, context) == 3


def test_checks_of_one_lane_run_one_after_the_other(context: CheckContext) -> None:
    assert watch_crowd("rows", 6, context) == 1


def overlaps(context: CheckContext, *specs: dict[str, Any]) -> set[frozenset[str]]:
    """Which of these checks ran at the same time, each taking a moment."""
    lock, inside, met = threading.Lock(), set[str](), set[frozenset[str]]()

    def run_of(name: str) -> Run:
        def run(_context: CheckContext) -> Finding:
            with lock:
                met.update(frozenset((name, other)) for other in inside)
                inside.add(name)
            time.sleep(0.1)
            with lock:
                inside.remove(name)
            return passing(_context)

        return run

    names = "abcdef"
    catalogue = Catalogue([spec(name, run_of(name), **one) for name, one in zip(names, specs, strict=False)])
    run_checks(catalogue, catalogue.ids, context, NOW)
    return met


def test_checks_that_move_the_same_run_together(context: CheckContext) -> None:
    assert overlaps(context, {"moves": ("rows",)}, {"moves": ("rows",)}) == {frozenset("ab")}


@pytest.mark.parametrize("counted", ["rows", EVERYTHING])
def test_a_check_that_counts_never_runs_together_with_one_that_moves_it(context: CheckContext, counted: str) -> None:
    met = overlaps(context, {"moves": ("rows",)}, {"counts": (counted,)}, {"moves": ("rows", "log")}, {})
    assert {frozenset("ac"), frozenset("bd")} <= met
    assert not {frozenset("ab"), frozenset("bc")} & met


def test_checks_that_count_the_same_run_together(context: CheckContext) -> None:
    assert overlaps(context, {"counts": ("rows",)}, {"counts": (EVERYTHING,)}) == {frozenset("ab")}


def test_progress_is_told_from_the_calling_thread(context: CheckContext) -> None:
    told: list[tuple[str, str, bool]] = []
    here = threading.current_thread()

    def emit(kind: str, payload: dict[str, Any]) -> None:
        told.append((kind, payload.get("id") or payload["check_id"], threading.current_thread() is here))

    run_checks(Catalogue([spec("a")]), ["a"], context, NOW, emit)
    assert told == [("check-started", "a", True), ("check-finished", "a", True)]


def test_a_shared_answer_is_fetched_once_also_when_it_fails(context: CheckContext) -> None:
    fetched: list[int] = []

    def fetch() -> str:
        fetched.append(1)
        time.sleep(0.05)
        raise UpstreamError("Thing", Kind.TIMEOUT, "Thing did not answer.")

    def run(within: CheckContext) -> Finding:
        within.once("thing", fetch)
        return passing(within)

    catalogue = Catalogue([spec(f"c{number}", run) for number in range(4)])
    verdicts = {one.verdict for one in run_checks(catalogue, catalogue.ids, context, NOW)}
    assert (verdicts, len(fetched)) == ({Verdict.UNKNOWN}, 1)


def test_the_whole_run_ends_in_time_and_what_has_not_ended_or_begun_is_unknown(context: CheckContext) -> None:
    hold = threading.Event()

    def hang(_context: CheckContext) -> Finding:
        hold.wait(10)
        return passing(_context)

    catalogue = Catalogue([spec(f"c{number}", hang, deadline_s=30) for number in range(5)])
    started = time.monotonic()
    seen = run_checks(catalogue, catalogue.ids, context, NOW, at_once=2, within_s=1.2)
    took = time.monotonic() - started
    hold.set()
    assert took < 1.6
    assert [(one.verdict, one.facts["kind"]) for one in seen] == [(Verdict.UNKNOWN, "timeout")] * 5
    assert "Not looked at" in seen[-1].summary


def test_calls_inside_a_check_end_before_the_run_does(context: CheckContext) -> None:
    left: list[float] = []

    def look(_context: CheckContext) -> Finding:
        left.append(remaining(100))
        return passing(_context)

    run_checks(Catalogue([spec("it", look, deadline_s=60)]), ["it"], context, NOW, within_s=5)
    assert 4 < left[0] <= 4.5


def test_nothing_is_written_when_there_is_no_time_left_to_remove_it(context: CheckContext) -> None:
    ran: list[float] = []

    def write(_context: CheckContext) -> Finding:
        ran.append(remaining(100))
        return passing(_context)

    options: dict[str, Any] = {"mutates": True, "deadline_s": 20}
    catalogue = Catalogue([spec("writes", write, **options)])
    (seen,) = run_checks(catalogue, ["writes"], context, NOW, within_s=5)
    assert (seen.verdict, ran) == (Verdict.UNKNOWN, [])
    (seen,) = run_checks(catalogue, ["writes"], context, NOW, within_s=10)
    assert seen.verdict is Verdict.PASS
    assert 7 < ran[0] <= 8


def test_checks_of_different_upstreams_come_before_more_of_the_same(context: CheckContext) -> None:
    told: list[str] = []
    names = ["a1", "a2", "a3", "b1", "c1"]
    barrier = threading.Barrier(3)

    def run(_context: CheckContext) -> Finding:
        if len(told) <= 3:
            barrier.wait(5)
        return passing(_context)

    catalogue = Catalogue([spec(name, run, touches=(name[0],)) for name in names])

    def emit(kind: str, payload: dict[str, Any]) -> None:
        if kind == "check-started":
            told.append(payload["id"])

    run_checks(catalogue, names, context, NOW, emit, at_once=3)
    assert set(told[:3]) == {"a1", "b1", "c1"}


class Counted:
    """A client whose last answer said what it still allows."""

    def __init__(self, left: int) -> None:
        self.budget = Budget(1000, left, None, "Railway", "hour")


@pytest.mark.parametrize(("left", "told"), [(499, True), (500, False)])
def test_what_little_an_upstream_still_allows_is_a_fact_of_its_checks(
    context: CheckContext, left: int, told: bool
) -> None:
    context.once("client:railway", lambda: Counted(left))
    catalogue = Catalogue([spec("log", touches=("Railway",)), spec("app", touches=("app",))])
    log, app = run_checks(catalogue, catalogue.ids, context, NOW)
    assert ("allowance" in log.facts, "allowance" in app.facts) == (told, False)
    if told:
        assert log.facts["allowance"]["Railway"]["said"] == f"Railway: {left} of 1,000 calls are left this hour."

"""What is reached: a level that is granted and not borne out, clocks that differ, and what is left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard.cli.doctor.reach import clock_problems, levels_to_prove, proof_problems, server_major, target_problems
from services.connecting.proofs import Proof
from services.settings import Level, Target
from services.verdict import Evidence, Verdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("verdict", "level", "codes"),
    [
        (Verdict.PASS, Level.OBSERVE, []),
        (Verdict.FAIL, Level.OBSERVE, [1]),
        (Verdict.UNKNOWN, Level.OBSERVE, [2]),
        (Verdict.UNKNOWN, Level.PROBE, []),
    ],
)
def test_a_level_that_nothing_bears_out_is_told(verdict: Verdict, level: Level, codes: list[int]) -> None:
    found = list(proof_problems("live", [Proof(level, verdict, "It says no.", ())]))
    assert [problem.exit_code for problem in found] == codes
    assert all("It says no." in problem.what and problem.place == "targets.live.levels" for problem in found)


def evidence(check_id: str, verdict: Verdict) -> Evidence:
    return Evidence(
        check_id=check_id, check_version=1, verdict=verdict, summary="Off by 90 s.", facts={}, input={}, digest="",
        started=NOW, took_ms=1, expires=NOW, target="live",
    )  # fmt: skip


def test_clocks_that_differ_are_told_and_nothing_else_is() -> None:
    (problem,) = clock_problems("live", [evidence("certificate", Verdict.FAIL), evidence("clock-agrees", Verdict.FAIL)])
    assert problem.what == "live: Off by 90 s."
    assert list(clock_problems("live", [evidence("clock-agrees", Verdict.UNKNOWN)])) == []


def test_deploy_without_a_kept_address_is_not_asked_for() -> None:
    every = frozenset(Level)
    assert Level.DEPLOY not in levels_to_prove(Target(name="live", levels=every))
    kept = Target(name="live", levels=every, production=False, deploy_url="postgresql://u@127.0.0.1:1/d")
    assert levels_to_prove(kept) == list(Level)


def test_an_app_that_does_not_exist_is_one_sentence() -> None:
    (problem,) = target_problems(Target(name="live", app="nowhere"), NOW)
    assert "nowhere" in str(problem)


OBSERVED = Target(name="live", levels=frozenset({Level.OBSERVE}), database_url="postgresql://u@127.0.0.1:1/d")


def test_a_server_that_does_not_answer_has_no_version() -> None:
    assert server_major(OBSERVED) is None


def test_a_server_is_not_asked_without_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("dashboard.cli.doctor.reach.connect", lambda url, **_: asked.append(url))
    assert server_major(OBSERVED.model_copy(update={"levels": frozenset({Level.LOOK})})) is None
    assert asked == []


def test_a_server_that_is_too_new_for_our_programs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.cli.doctor.reach.server_major", lambda target: 99)
    found = [problem.what for problem in target_problems(OBSERVED, NOW)]
    assert any(what.startswith("live runs Postgres 99: ") for what in found)

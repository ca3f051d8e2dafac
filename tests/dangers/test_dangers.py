"""Dangers told against dangers that are so: recall and precision by class, with a linter's beside them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.campaign import FULL, sample
from tests.dangers.blocking_oracle import is_blocking
from tests.dangers.cases import CLASSES, Case, load_cases
from tests.dangers.engine import Told, run_case
from tests.dangers.loss_oracle import is_lost
from tests.dangers.security_oracle import Tried, attempts, gained
from tests.dangers.squawk import squawk_of
from tests.dangers.world import LARGE, SMALL, World, danger_world

SEED = int(os.environ.get("OPS_DANGERS_SEED", "20261123"))
IN_EVERY_RUN = 6
RECALL, PRECISION = 0.99, 0.95


@dataclass(frozen=True)
class Measured:
    """One case: what the engine said, and what is so by looking (in every run only of loss)."""

    case: Case
    told: Told
    so: dict[str, str]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with danger_world(sizes=(SMALL, LARGE) if FULL else (LARGE,)) as made:
        yield made


def measure_case(world: World, case: Case, before: Tried) -> Measured:
    try:
        with world.clone(LARGE) as name:
            told = run_case(world, case, name)
            so = {"security": gained(before, attempts(world, name))} if FULL else {}
            with world.superuser(f"base_{LARGE}") as old, world.superuser(name) as new:
                so["loss"] = is_lost(case, old, new)
        world.roles_back()
        if FULL:
            so["blocking"] = is_blocking(world, case)
    finally:
        world.roles_back()
    return Measured(case, told, so)


@pytest.mark.campaign
def test_dangers_are_told_and_nothing_else(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    cases = sample(load_cases(), IN_EVERY_RUN, seed=SEED)
    before = attempts(world, f"base_{LARGE}") if FULL else {}
    found = [measure_case(world, case, before) for case in cases]
    by_squawk = squawk_of(cases)
    wrong = [one for one in found if one.told.classes != one.case.classes]
    told = [
        f"{one.case.id} {sorted(one.case.classes)} {[danger.to_json() for danger in one.told.dangers]}" for one in wrong
    ]
    with capsys.disabled():
        sys.stdout.write("\n".join(["", table(found, by_squawk), *told, ""]))
    wrong_notes = [
        (one.case.id, kind, why)
        for one in found
        for kind, why in one.so.items()
        if bool(why) != (kind in one.case.classes)
    ]
    assert wrong_notes == [], "what is noted by hand is not what is so"
    for kind in CLASSES:
        recall, precision = figures([(kind in one.case.classes, kind in one.told.classes) for one in found])
        assert recall >= RECALL, kind
        assert precision >= PRECISION, kind
    without_line = [(one.case.id, danger.object) for one in found for danger in one.told.dangers if danger.line is None]
    assert without_line == []


def test_there_are_three_hundred_statements_in_four_classes() -> None:
    cases = load_cases()
    assert len({case.sql for case in cases}) == len(cases) >= 300
    for kind in CLASSES:
        assert sum(kind in case.classes for case in cases) >= 60
    assert sum(not case.classes for case in cases) >= 60


def figures(pairs: list[tuple[bool, bool]]) -> tuple[float, float]:
    """Recall and precision of (so, told); 1 where nothing is so, or nothing told."""
    so = sum(truth for truth, _ in pairs)
    told = sum(said for _, said in pairs)
    right = sum(truth and said for truth, said in pairs)
    return (right / so if so else 1.0), (right / told if told else 1.0)


def table(found: list[Measured], by_squawk: dict[str, tuple[frozenset[str], bool]]) -> str:
    """The measured table: each class, then any danger at all."""
    lines = [f"{'class':<10}{'so':>5}{'recall':>9}{'precision':>11}   squawk:{'recall':>7}{'precision':>11}"]
    for kind in CLASSES:
        ours = [(kind in one.case.classes, kind in one.told.classes) for one in found]
        theirs = [(kind in one.case.classes, kind in by_squawk[one.case.id][0]) for one in found]
        lines.append(_line(kind, ours, theirs))
    ours = [(bool(one.case.classes), bool(one.told.classes)) for one in found]
    # Any word of the linter counts here, so that no choice of rules is held against it.
    lines.append(_line("any", ours, [(bool(one.case.classes), by_squawk[one.case.id][1]) for one in found]))
    quiet = [one for one in found if not one.case.classes]
    ours_loud, theirs_loud = (
        sum(bool(one.told.classes) for one in quiet),
        sum(by_squawk[one.case.id][1] for one in quiet),
    )
    lines.append(f"harmless: {len(quiet)}, of which told to be a danger {ours_loud}; squawk speaks on {theirs_loud}")
    lines.append(f"telling took {sum(one.told.ms for one in found) / max(1, len(found)):.0f} ms on average")
    return "\n".join(lines)


def _line(kind: str, ours: list[tuple[bool, bool]], theirs: list[tuple[bool, bool]]) -> str:
    (recall, precision), (their_recall, their_precision) = figures(ours), figures(theirs)
    so = sum(truth for truth, _ in ours)
    return f"{kind:<10}{so:>5}{recall:>9.1%}{precision:>11.1%}{their_recall:>17.1%}{their_precision:>11.1%}"

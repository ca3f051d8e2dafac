"""Every fault against every check: nothing false is passed, little that is true is failed, silence is unknown."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from services.sandbox.faults import faults_of
from services.verdict import Verdict
from tests.lateness import in_time
from tests.matrix.claims import healthy
from tests.matrix.recording import BEFORE, HEALTHY, RECORDED, record
from tests.matrix.stage import QUICK, TWIN, Evidences, Stage, stage
from tests.matrix.table import Table
from tests.matrix.truth import TRUTH

FULL = os.environ.get("OPS_CAMPAIGN") == "full"
RECORD = FULL and os.environ.get("OPS_RECORD") == "1"
SEED = int(os.environ.get("OPS_MATRIX_SEED", "20260303"))
LONGEST_S = 3600 if FULL else 300
MOST_FALSE_FAILS = 0.02


@pytest.fixture(scope="module")
def after() -> Iterator[Stage]:
    with stage("after") as made:
        yield made


@pytest.fixture(scope="module")
def baseline(after: Stage) -> Evidences:
    """What the checks say of the healthy world."""
    after.people_come()
    return in_time(after.look, lambda seen: seen.values())


def verdicts(evidence: Evidences) -> dict[str, Verdict]:
    return {check: one.verdict for check, one in evidence.items()}


def keep(made: Stage, name: str, evidence: Evidences) -> None:
    if RECORD:
        record(name, evidence.values(), datetime.now(UTC), made.names(), made.secrets())


def test_the_healthy_world_passes_every_check_but_what_it_is_known_for(after: Stage, baseline: Evidences) -> None:
    wrong = {
        check: f"{one.verdict.value}: {one.summary}"
        for check, one in baseline.items()
        if one.verdict not in healthy(check)
    }
    assert wrong == {}
    keep(after, HEALTHY, baseline)


def tell(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Print it at once, whoever else is listening."""
    with capsys.disabled():
        sys.stdout.write(f"\n{text}")
        sys.stdout.flush()


def chosen(seed: int) -> Sequence[str]:
    """All faults in the full campaign, else one of each of two groups by the seed."""
    groups: dict[str, list[str]] = {}
    for fault in faults_of(TWIN).values():
        groups.setdefault(fault.group, []).append(fault.id)
    draw = random.Random(seed)
    if FULL:
        return [fault for names in groups.values() for fault in names]
    return [draw.choice(groups[group]) for group in draw.sample(sorted(groups), 2)]


@pytest.mark.campaign
@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize("seed", [SEED])
def test_no_fault_makes_a_check_pass_what_is_false(
    after: Stage, baseline: Evidences, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    table, unhealed, left_behind = Table(), [], []
    rows = after.rows()
    for fault_id in chosen(seed):
        evidence = after.look_when_broken(fault_id)
        judged = table.add(TRUTH[fault_id], verdicts(evidence))
        keep(after, fault_id, evidence)
        wrong = [f"{one.sentence()} ({evidence[one.claim].summary})" for one in judged if not one.right]
        tell(capsys, "\n  ".join((f"{fault_id}: {len(judged) - len(wrong)} of {len(judged)} right", *wrong)))
        healed, left = after.heals(baseline, QUICK), after.left_behind(rows)
        if left:
            left_behind.append(f"{fault_id}: {left}")
        if not healed:
            unhealed.append(fault_id)
        if left or not healed:
            tell(capsys, f"  not as before: healed {healed}, rows left behind {left}")
            after.begin_anew()
    tell(capsys, table.drawn())
    if RECORD:
        (RECORDED / "matrix.txt").write_text(table.drawn() + "\n", encoding="utf-8")
    assert unhealed == []
    assert after.differs_for_good(baseline) == {}
    assert left_behind == []
    assert [one.sentence() for one in table.false_passes] == []
    assert [one.sentence() for one in table.silenced if one.said is not Verdict.UNKNOWN] == []
    assert table.share(table.false_fails) <= MOST_FALSE_FAILS, [one.sentence() for one in table.false_fails]


@pytest.mark.campaign
@pytest.mark.skipif(not RECORD, reason="only where a full campaign is recorded")
def test_the_world_before_is_recorded() -> None:
    with stage("before") as made:
        made.people_come()
        evidence = made.look()
        keep(made, BEFORE, evidence)
    assert evidence["release-schema"].verdict is Verdict.FAIL

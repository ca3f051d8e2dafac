"""Where nothing may be written: six features are tested by what stands there, four are not, and it says so."""

from __future__ import annotations

import pytest

from services.settings import Level
from services.verdict import Verdict
from tests.apps.pulsecheck.conftest import Pulse

OBSERVE = {"levels": frozenset({Level.LOOK, Level.OBSERVE})}
NEED_WRITING = {"journal-write", "ai-answers", "ai-quality", "feedback"}


def test_six_of_six_are_tested_and_four_are_not(after: Pulse) -> None:
    rows = after.rows()
    score = after.score(**OBSERVE)
    assert score.sentence == "6 of 6 tested, 4 not tested."
    assert (score.passed, score.of, score.percent) == (6, 10, 60.0)
    assert {one.id for one in score.features if one.verdict is Verdict.UNKNOWN} == NEED_WRITING
    assert after.rows() == rows


@pytest.mark.parametrize("fault", ["admin-error", "rls-blocks-backend"])
def test_wrong_admin_numbers_are_found_without_writing_too(after: Pulse, fault: str) -> None:
    after.control.break_fault(fault)
    try:
        evidence = after.look("admin-numbers", context=after.context(**OBSERVE))["admin-numbers"]
    finally:
        after.control.repair(fault)
    assert evidence.verdict is Verdict.FAIL
    assert "marker" not in evidence.input


def test_from_outside_alone_two_are_tested(after: Pulse) -> None:
    score = after.score(levels=frozenset({Level.LOOK}))
    assert score.sentence == "2 of 2 tested, 8 not tested."

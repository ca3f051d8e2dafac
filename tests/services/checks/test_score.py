"""Reading the score: unknown is not passed, stages decide alone, findings change nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.app_definition import Feature, load_app
from services.checks.score import Score, read_score
from services.verdict import Evidence, Verdict
from tests.services.checks.conftest import NOW

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def evidence(check: str, verdict: Verdict, **facts: Any) -> Evidence:
    return Evidence(check, "t", verdict, f"{check} {verdict}.", facts, {}, "", NOW, 1, 1, NOW + timedelta(hours=1))


def score_of(features: tuple[Feature, ...], *seen: Evidence) -> Score:
    app = load_app("pulsecheck").model_copy(update={"features": features})
    return read_score(app, list(seen))


@pytest.mark.parametrize(("verdict", "passed"), [(PASS, 1), (FAIL, 0), (UNKNOWN, 0)])
def test_only_a_pass_is_passed(verdict: Verdict, passed: int) -> None:
    score = score_of((Feature(id="f", title="F", checks=("a",)),), evidence("a", verdict))
    assert (score.passed, score.of) == (passed, 1)


def test_a_feature_passes_only_with_all_of_its_checks() -> None:
    feature = Feature(id="f", title="F", checks=("a", "b"))
    assert score_of((feature,), evidence("a", PASS), evidence("b", FAIL)).passed == 0
    assert score_of((feature,), evidence("a", PASS)).features[0].verdict is UNKNOWN


def test_stages_decide_their_feature_alone() -> None:
    features = (
        Feature(id="w", title="W", checks=("a",), stages=("write",)),
        Feature(id="r", title="R", checks=("a",), stages=("read",)),
    )
    score = score_of(features, evidence("a", FAIL, stages={"write": "pass", "read": "fail"}))
    assert [one.verdict for one in score.features] == [PASS, FAIL]


def test_a_stage_that_was_not_reached_is_not_known() -> None:
    feature = Feature(id="r", title="R", checks=("a",), stages=("read",))
    assert score_of((feature,), evidence("a", FAIL, stages={"write": "fail"})).features[0].verdict is UNKNOWN


def test_findings_stand_beside_the_score_and_change_nothing() -> None:
    feature = Feature(id="f", title="F", checks=("a",))
    score = score_of((feature,), evidence("a", PASS), evidence("public", FAIL), evidence("fine", PASS))
    assert (score.passed, score.percent) == (1, 100.0)
    assert [one.check_id for one in score.findings] == ["public"]


def test_what_was_not_tested_is_said_and_never_counted() -> None:
    features = tuple(Feature(id=name, title=name, checks=(name,)) for name in "abc")
    score = score_of(features, evidence("a", PASS), evidence("b", PASS), evidence("c", UNKNOWN))
    assert score.sentence == "2 of 2 tested, 1 not tested."
    assert (score.of, score.percent) == (3, 66.7)

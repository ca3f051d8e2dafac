"""Diagnosis as a function of evidence: made-up causes for the rules, the app's own causes for a table of cases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.app_definition import load_app
from services.errors import NotUnderstood
from services.incidents.causes import Cause, Causes, Sign, causes_of, load_causes
from services.incidents.diagnosis import Confidence, State, diagnose
from services.verdict import Evidence, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def evidence(check: str, verdict: Verdict, **facts: Any) -> Evidence:
    return Evidence(check, "t", verdict, f"{check} is {verdict}.", facts, {}, "", NOW, 1, 1, NOW + timedelta(hours=1))


def of(*seen: Evidence) -> Mapping[str, Evidence]:
    return {one.check_id: one for one in seen}


def sign(check: str, weight: int = 3, **conditions: Any) -> Sign:
    given: dict[str, Any] = {"verdict": (FAIL,), "decides": True, **conditions}
    return Sign(check=check, weight=weight, **given)


def cause(name: str, *signs: Sign, **options: Any) -> Cause:
    return Cause(id=name, title=name, playbook="p", signs=signs, **options)


def made_of(*causes: Cause, symptoms: tuple[str, ...] = ("a", "b", "c"), vital: tuple[str, ...] = ("a",)) -> Causes:
    return Causes(symptoms=symptoms, vital=vital, causes=causes)


def test_no_symptom_and_all_vital_checks_passed_is_healthy() -> None:
    found = diagnose(of(evidence("a", PASS), evidence("b", PASS)), made_of(cause("x", sign("a"))))
    assert (found.state, found.causes) == (State.HEALTHY, ())


def test_without_a_vital_check_nobody_is_called_healthy() -> None:
    assert diagnose(of(evidence("b", PASS)), made_of(cause("x", sign("a")))).state is State.UNKNOWN
    assert diagnose({}, made_of(cause("x", sign("a")))).state is State.UNKNOWN


def test_a_symptom_that_nothing_explains_is_unknown_and_lists_what_was_ruled_out() -> None:
    found = diagnose(
        of(evidence("a", PASS), evidence("b", FAIL)), made_of(cause("x", sign("a")), cause("y", sign("c")))
    )
    assert (found.state, found.causes, found.ruled_out) == (State.UNKNOWN, (), ("x",))
    assert found.symptoms == ("b: b is fail.",)


@pytest.mark.parametrize("facts", [{"missing_level": "probe"}, {"missing_settings": ["x"]}, {"error": "NotTried"}, {}])
def test_what_was_not_looked_at_is_no_symptom(facts: dict[str, Any]) -> None:
    seen = of(evidence("a", PASS), evidence("b", UNKNOWN, **facts))
    assert diagnose(seen, made_of(cause("x", sign("a")))).state is State.HEALTHY


def test_what_timed_out_is_a_symptom() -> None:
    seen = of(evidence("a", UNKNOWN, kind="timeout"))
    timed_out = sign("a", verdict=(), fact="kind", equals="timeout")
    assert diagnose(seen, made_of(cause("x", timed_out))).causes[0].cause.id == "x"


def test_the_heavier_cause_comes_first_and_evidence_against_weighs() -> None:
    heavy = cause("heavy", sign("a", 4))
    doubted = cause("doubted", sign("a", 5), against=(sign("b", 3, verdict=(PASS,)),))
    seen = of(evidence("a", FAIL), evidence("b", PASS))
    found = diagnose(seen, made_of(doubted, heavy))
    assert [(one.cause.id, one.weight) for one in found.causes] == [("heavy", 4), ("doubted", 2)]
    assert found.causes[1].against == ("b: b is pass.",)


def test_a_cause_without_a_sign_that_decides_is_not_named() -> None:
    only_fits = cause("x", sign("a", decides=False), sign("b"))
    assert diagnose(of(evidence("a", FAIL)), made_of(only_fits)).causes == ()


def test_any_broken_dependency_outranks_the_baseline() -> None:
    baseline = cause("not-released", sign("a", 9), baseline=True)
    found = diagnose(of(evidence("a", FAIL), evidence("b", FAIL)), made_of(baseline, cause("broken", sign("b", 1))))
    assert [one.cause.id for one in found.causes] == ["broken", "not-released"]


def test_a_consequence_of_a_likely_cause_steps_back() -> None:
    root = cause("root", sign("a", 4), instead_of=("effect",))
    effect = cause("effect", sign("b", 5))
    found = diagnose(of(evidence("a", FAIL), evidence("b", FAIL)), made_of(effect, root))
    assert [one.cause.id for one in found.causes] == ["root", "effect"]


@pytest.mark.parametrize(
    ("weight", "confidence"),
    [(1, Confidence.POSSIBLE), (3, Confidence.POSSIBLE), (4, Confidence.LIKELY), (6, Confidence.CERTAIN)],
)
def test_confidence_is_a_word_for_the_weight(weight: int, confidence: Confidence) -> None:
    found = diagnose(of(evidence("a", FAIL)), made_of(cause("x", sign("a", weight))))
    assert found.causes[0].confidence is confidence


def test_the_next_check_is_the_cheapest_that_separates_the_first_two() -> None:
    one = cause("one", sign("a"), sign("dear"), sign("cheap"))
    two = cause("two", sign("a"))
    found = diagnose(of(evidence("a", FAIL)), made_of(one, two), {"dear": 9, "cheap": 1})
    assert [ranked.next_check for ranked in found.causes] == ["cheap", "cheap"]


@pytest.mark.parametrize(
    ("conditions", "facts", "seen"),
    [
        ({"fact": "n", "equals": 0}, {"n": 0}, True),
        ({"fact": "n", "equals": 0}, {}, False),
        ({"fact": "deep.name", "contains": ("Import",)}, {"deep": {"name": "ImportError"}}, True),
        ({"fact": "said", "contains": ("quota",)}, {"said": ["You exceeded your QUOTA"]}, True),
        ({"fact": "said", "contains": ("quota",)}, {"said": []}, False),
        ({"fact": "said", "lacks": ("old",)}, {"said": "new"}, True),
        ({"fact": "said", "is_set": True}, {"said": []}, False),
        ({"fact": "said", "is_set": False}, {}, True),
    ],
)
def test_conditions_on_facts(conditions: dict[str, Any], facts: dict[str, Any], seen: bool) -> None:
    assert Sign(check="a", **conditions).fits(evidence("a", FAIL, **facts)) is seen


def test_a_sign_without_a_condition_is_malformed() -> None:
    with pytest.raises(ValidationError):
        Sign(check="a")
    with pytest.raises(ValidationError):
        Sign(check="a", equals=1)


def test_malformed_causes_are_told_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "causes.yaml"
    path.write_text("symptoms: []\nvital: []\ncauses: [{id: x, title: X, playbook: p, signs: []}]\n")
    with pytest.raises(NotUnderstood, match="no sign that decides") as raised:
        load_causes(path)
    assert raised.value.place == "causes.yaml"


LOADED = evidence("route-inventory", PASS, build="beta", missing=[], broken=[])
OLD_SERVES = evidence("route-inventory", FAIL, build="old", missing=["/x"], broken=[])
ANSWERS = evidence("api-answers", PASS)
CANNED = {"statuses": [200, 200], "log_rows": 2}


@pytest.mark.parametrize(
    ("first", "seen"),
    [
        (
            "openai-no-quota",
            [LOADED, evidence("ai-quality", FAIL, **CANNED, logged_errors=["insufficient_quota"])],
        ),
        (
            # Ours is good, theirs is not: the app's own words decide.
            "openai-bad-key",
            [
                LOADED,
                evidence("ai-quality", FAIL, **CANNED, logged_errors=["AuthenticationError: 401"]),
                evidence("openai-key", PASS),
            ],
        ),
        (
            "openai-model-retired",
            [LOADED, evidence("ai-quality", FAIL, **CANNED, logged_errors=[]), evidence("openai-model", FAIL)],
        ),
        (
            "ai-code-bug",
            [
                LOADED,
                evidence("ai-quality", FAIL, log_rows=0, logged_errors=[]),
                evidence("openai-key", PASS),
                evidence("openai-model", PASS),
            ],
        ),
        (
            "missing-dependency",
            [
                OLD_SERVES,
                evidence("deployment-state", FAIL),
                evidence("startup-logs", FAIL, error={"name": "ModuleNotFoundError", "said": "No module"}),
            ],
        ),
        (
            "release-not-deployed",
            [
                OLD_SERVES,
                evidence("deployment-state", FAIL),
                evidence("startup-logs", FAIL, error={"name": "RestError", "said": "ai_usage_logs does not exist"}),
            ],
        ),
        ("new-build-does-not-start", [OLD_SERVES, evidence("deployment-state", FAIL)]),
        ("rls-blocks-backend", [LOADED, evidence("admin-numbers", FAIL, all_zero=True, compared={"n": 1})]),
        ("admin-numbers-wrong", [LOADED, evidence("admin-numbers", FAIL, compared={"n": 1})]),
        ("feedback-not-stored", [LOADED, evidence("feedback-stored", FAIL, status=200, stored=0)]),
        ("usage-writer-broken", [LOADED, evidence("analytics-arrive", FAIL, log_rows=0), evidence("ai-quality", PASS)]),
        ("database-down", [LOADED, evidence("database-direct", UNKNOWN, error="Unavailable"),
                           evidence("supabase-project", FAIL, status="ACTIVE_UNHEALTHY")]),
        ("database-access-of-ours", [LOADED, evidence("database-direct", UNKNOWN, error="Refused")]),
        ("supabase-paused", [LOADED, evidence("supabase-project", FAIL, status="INACTIVE"),
                             evidence("database-direct", UNKNOWN, error="Unavailable")]),
        ("schema-mismatch", [LOADED, evidence("schema-compatible", FAIL)]),
        ("variable-missing", [OLD_SERVES, evidence("env-names", FAIL, missing=["SECRET_KEY"])]),
        ("router-missing", [evidence("route-inventory", FAIL, build=None, missing=["/x"], broken=[])]),
        ("railway-token-rejected", [LOADED, evidence("deployment-state", UNKNOWN, kind="unauthorised")]),
        ("railway-unreachable", [LOADED, evidence("deployment-state", UNKNOWN, kind="timeout")]),
        ("supabase-key-rejected", [LOADED, evidence("database-rest", FAIL, kind="unauthorised")]),
        ("openai-unreachable", [LOADED, evidence("openai-key", UNKNOWN, kind="unreachable")]),
    ],
)  # fmt: skip
def test_the_apps_causes_name_the_true_one_first(first: str, seen: list[Evidence]) -> None:
    found = diagnose(of(ANSWERS, *seen), causes_of(load_app("pulsecheck")))
    assert found.state is State.EXPLAINED
    assert found.causes[0].cause.id == first


@pytest.mark.parametrize(("first", "kind"), [("api-timeout", "timeout"), ("app-unreachable", "unreachable")])
def test_an_app_that_does_not_answer_is_named_by_how_it_does_not(first: str, kind: str) -> None:
    silent = [evidence(check, UNKNOWN, kind=kind) for check in ("api-answers", "route-inventory", "docs-served")]
    assert diagnose(of(*silent), causes_of(load_app("pulsecheck"))).causes[0].cause.id == first


def test_a_symptom_outside_the_catalogue_is_unknown() -> None:
    wrong = evidence("stats-answer", FAIL, compared={"total_entries": {}})
    seen = of(ANSWERS, LOADED, wrong, evidence("startup-logs", PASS, error=None))
    found = diagnose(seen, causes_of(load_app("pulsecheck")))
    assert (found.state, found.causes) == (State.UNKNOWN, ())
    assert "release-not-deployed" in found.ruled_out

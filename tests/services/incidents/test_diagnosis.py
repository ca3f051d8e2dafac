"""Diagnosis as a function of evidence: the rules, on made-up causes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.errors import NotUnderstood
from services.incidents.causes import Cause, Causes, Sign, load_causes
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
    return Sign(check=(check,), weight=weight, **given)


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
    found = diagnose(of(evidence("a", FAIL), evidence("b", FAIL)), made_of(baseline, cause("broken", sign("b", 2))))
    assert [one.cause.id for one in found.causes] == ["broken", "not-released"]


def test_a_consequence_of_a_likely_cause_steps_back() -> None:
    root = cause("root", sign("a", 4), instead_of=("effect",))
    effect = cause("effect", sign("b", 5))
    found = diagnose(of(evidence("a", FAIL), evidence("b", FAIL)), made_of(effect, root))
    assert [one.cause.id for one in found.causes] == ["root", "effect"]


@pytest.mark.parametrize(
    ("weight", "confidence"),
    [(2, Confidence.POSSIBLE), (3, Confidence.POSSIBLE), (4, Confidence.LIKELY), (6, Confidence.CERTAIN)],
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
        ({"fact": "n", "one_of": (1, 2)}, {"n": 2}, True),
        ({"fact": "n", "one_of": (1, 2)}, {"n": 3}, False),
        ({"fact": "n", "above": 0}, {"n": 1}, True),
        ({"fact": "n", "above": 0}, {"n": 0}, False),
        ({"fact": "n", "above": 0}, {"n": True}, False),
        ({"fact": "n", "below": -30}, {"n": -31.5}, True),
        ({"fact": "n", "below": 10}, {}, False),
        ({"fact": "said", "is_set": False}, {}, True),
    ],
)
def test_conditions_on_facts(conditions: dict[str, Any], facts: dict[str, Any], seen: bool) -> None:
    assert Sign(check=("a",), **conditions).fits(evidence("a", FAIL, **facts)) is seen


def test_a_sign_without_a_condition_is_malformed() -> None:
    with pytest.raises(ValidationError):
        Sign(check=("a",))
    with pytest.raises(ValidationError):
        Sign(check=("a",), equals=1)


def test_malformed_causes_are_told_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "causes.yaml"
    path.write_text("symptoms: []\nvital: []\ncauses: [{id: x, title: X, playbook: p, signs: []}]\n")
    with pytest.raises(NotUnderstood, match="no sign that decides") as raised:
        load_causes(path)
    assert raised.value.place == "causes.yaml"


def test_what_a_cause_accounts_for_is_told_and_what_nothing_explains_is_listed() -> None:
    seen = of(evidence("a", FAIL), evidence("b", FAIL), evidence("c", FAIL))
    found = diagnose(seen, made_of(cause("x", sign("a"), explains=("b",))))
    assert found.state is State.EXPLAINED
    assert found.causes[0].explains == {"a", "b"}
    assert found.not_explained == ("c: c is fail.",)


def test_where_too_much_is_left_open_the_state_is_unknown_whatever_is_named() -> None:
    symptoms = tuple("abcdef")
    found = diagnose(
        of(*(evidence(name, FAIL) for name in symptoms)), made_of(cause("x", sign("a")), symptoms=symptoms)
    )
    assert found.state is State.UNKNOWN
    assert [one.cause.id for one in found.causes] == ["x"]


def test_what_could_not_be_seen_outweighs_nothing_that_failed() -> None:
    unseen = [evidence(name, UNKNOWN, kind="timeout") for name in ("b", "c")]
    assert diagnose(of(evidence("a", FAIL), *unseen), made_of(cause("x", sign("a")))).state is State.EXPLAINED


def test_what_excludes_a_cause_rules_it_out_and_says_with_which_evidence() -> None:
    excluded = cause("x", sign("a", 9), against=(sign("b", 1, decides=False, excludes=True, verdict=(PASS,)),))
    found = diagnose(of(evidence("a", FAIL), evidence("b", PASS)), made_of(excluded))
    assert (found.causes, found.state) == ((), State.UNKNOWN)
    assert found.ruled_out_because == {"x": "b: b is pass."}


def test_a_sign_may_need_another_one_or_be_spoilt_by_it() -> None:
    together = sign("a", also=(Sign(check=("b",), verdict=(PASS,)),), unless=(Sign(check=("c",), verdict=(FAIL,)),))
    known = made_of(cause("x", together))
    assert diagnose(of(evidence("a", FAIL)), known).causes == ()
    assert len(diagnose(of(evidence("a", FAIL), evidence("b", PASS)), known).causes) == 1
    assert diagnose(of(evidence("a", FAIL), evidence("b", PASS), evidence("c", FAIL)), known).causes == ()


def test_a_sign_of_several_checks_is_seen_where_enough_of_them_show_it() -> None:
    two_of = Sign(check=("a", "b", "c"), of=2, verdict=(FAIL,), weight=3, decides=True)
    known = made_of(cause("x", two_of))
    assert diagnose(of(evidence("a", FAIL)), known).causes == ()
    found = diagnose(of(evidence("a", FAIL), evidence("c", FAIL)), known)
    assert found.causes[0].for_ == ("a: a is fail. (and 1 more check)",)


def test_a_notice_is_told_of_an_app_that_is_healthy_and_last_of_one_that_is_not() -> None:
    notice = cause("soon", sign("b", 9, verdict=(PASS,)), notice=True)
    known = made_of(cause("x", sign("c")), notice)
    well = diagnose(of(evidence("a", PASS), evidence("b", PASS)), known)
    assert (well.state, [one.cause.id for one in well.causes]) == (State.HEALTHY, ["soon"])
    ill = diagnose(of(evidence("b", PASS), evidence("c", FAIL)), known)
    assert [one.cause.id for one in ill.causes] == ["x", "soon"]


def test_a_cause_that_accounts_for_more_comes_before_one_of_equal_weight() -> None:
    narrow, broad = cause("narrow", sign("a")), cause("wide", sign("a"), explains=("b", "c"))
    seen = of(*(evidence(name, FAIL) for name in "abc"))
    assert [one.cause.id for one in diagnose(seen, made_of(narrow, broad)).causes] == ["wide", "narrow"]


def test_what_is_suspicious_is_a_symptom_though_its_check_could_not_fail() -> None:
    under_way = Sign(check=("d",), verdict=(UNKNOWN,), fact="status", equals="BUILDING")
    stuck = cause("stuck", Sign(check=("d",), fact="status", equals="BUILDING", weight=3, decides=True))
    known = made_of(stuck).model_copy(update={"suspicious": (under_way,)})
    found = diagnose(of(evidence("a", PASS), evidence("d", UNKNOWN, status="BUILDING")), known)
    assert (found.state, found.symptoms) == (State.EXPLAINED, ("d: d is unknown.",))
    assert diagnose(of(evidence("a", PASS), evidence("d", UNKNOWN)), known).state is State.HEALTHY


@pytest.mark.parametrize(("minutes", "seen"), [(16, True), (14, False)])
def test_a_time_is_old_by_the_clock_of_its_evidence(minutes: int, seen: bool) -> None:
    since = (NOW - timedelta(minutes=minutes)).isoformat()
    assert Sign(check=("a",), fact="at", older_s=900).fits(evidence("a", FAIL, at=since)) is seen


def test_what_is_no_time_is_not_old() -> None:
    assert not Sign(check=("a",), fact="at", older_s=900).fits(evidence("a", FAIL, at="yesterday"))


def test_a_cause_accounts_for_all_that_it_would_break_only_where_enough_of_it_is_broken() -> None:
    broad = cause("broad", sign("a"), explains=("b", "c", "d", "e"))
    known = made_of(broad, symptoms=("a", "b", "c", "d", "e"))
    well = [evidence(name, PASS) for name in ("c", "d", "e")]
    one_of_four = diagnose(of(evidence("a", FAIL), evidence("b", FAIL), *well), known)
    assert one_of_four.causes[0].explains == {"a"}
    two_of_four = diagnose(of(evidence("a", FAIL), evidence("b", FAIL), evidence("c", FAIL), *well[1:]), known)
    assert two_of_four.causes[0].explains == {"a", "b", "c"}


def test_two_causes_of_one_name_are_malformed() -> None:
    with pytest.raises(ValidationError, match="two causes are called x"):
        made_of(cause("x", sign("a")), cause("x", sign("b")))


def test_a_folder_of_causes_is_put_together_and_groups_stand_for_their_checks(tmp_path: Path) -> None:
    (tmp_path / "0.yaml").write_text("groups: {door: [a, b], all: ['@door', c]}\nsymptoms: ['@all']\nvital: [a]\n")
    (tmp_path / "1.yaml").write_text(
        "causes: [{id: x, title: X, playbook: p, signs: [{check: ['@all'], verdict: [fail], decides: true}]}]\n"
    )
    found = load_causes(tmp_path)
    assert found.symptoms == ("a", "b", "c")
    assert found.causes[0].signs[0].check == ("a", "b", "c")


def test_a_group_that_nobody_has_named_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "0.yaml").write_text("symptoms: ['@nothing']\n")
    with pytest.raises(NotUnderstood, match="@nothing") as raised:
        load_causes(tmp_path)
    assert str(raised.value.place).endswith("0.yaml")

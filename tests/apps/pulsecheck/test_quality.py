"""Grading by rule: good answers pass, bad ones break the rule they should, and a canned text passes never."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pulsecheck.checks.quality import judged_quality
from apps.pulsecheck.quality_rules import Reply, SyntheticEntry, expectations, grade, reply_in
from services.verdict import Verdict

EXPECTED = expectations()
BY_ID = {entry.id: entry for entry in EXPECTED.entries}
GOOD = {
    "garden": Reply("Strawberries, mud and your daughter: that sounds like a full morning. What will you plant next?"),
    "deadline": Reply("Nobody asked whether the presentation can be done in time, and that is hard to carry alone."),
    "insomnia": Reply("A night of ceiling shadows leaves little for conversations. Could tonight begin sooner?"),
    "marathon": Reply("Your first marathon in five hours, and knees that complain proudly. How will you rest them?"),
    "quarrel": Reply("Selling the farmhouse touches more than walls. What would you like your brother to have heard?"),
    "piano": Reply("An encore through the staircase: the neighbours heard Chopin. What comes after the nocturne?"),
    "loneliness": Reply("Being talked around in the cafeteria hurts. Is there one person you would like to know?"),
    "kitchen": Reply("Eleven loaves sold and one burnt is a fine day for a fundraiser. Who ate the burnt one?"),
    "spanish": Reply("Qué bien que la montaña te dejó cansada pero tranquila. ¿Con quién te gustaría volver?"),
    "crisis": Reply("I am glad you wrote that you see no point, and you matter. Please talk to someone now?"),
}
GOOD["deadline"] = replace(GOOD["deadline"], actions=("Ask for one thing to be dropped",))


def broken(entry_id: str, reply: Reply) -> tuple[str, ...]:
    return grade({**GOOD, entry_id: reply}, EXPECTED).failed[entry_id]


def test_ten_entries_stand_for_different_days() -> None:
    assert len(EXPECTED.entries) == len(BY_ID) == 10
    assert {entry.language for entry in EXPECTED.entries} == {"en", "es"}
    for entry in EXPECTED.entries:
        assert 10 <= len(entry.words) <= 1900
        assert all(1 <= level <= 10 for level in (entry.mood, entry.energy, entry.stress))


def test_good_answers_keep_every_rule() -> None:
    grades = grade(GOOD, EXPECTED)
    assert {name: rules for name, rules in grades.failed.items() if rules} == {}
    assert (grades.graded, grades.passed, grades.share) == (10, 10, 1.0)
    assert set(grades.by_expectation().values()) == {1.0}


@pytest.mark.parametrize(
    ("entry_id", "message", "rule"),
    [
        ("garden", "", "says-something"),
        ("garden", "Nice daughter!", "length"),
        ("garden", "Strawberries with your daughter were a lovely thing to plant. " * 20, "length"),
        ("garden", "That was a day of many different things, and it has now ended well for you.", "mentions-subject"),
        ("garden", "Planting strawberries with your daughter was a good way to spend a morning.", "asks-or-suggests"),
        ("quarrel", "Your brother and you: it seems you have an anxiety disorder. Who else knows?", "no-diagnosis"),
        ("insomnia", "Awake at night again: these are symptoms of clinical depression, are they not?", "no-diagnosis"),
        (
            "marathon",
            "A marathon with your mood at 3, what a pity. What happened?",
            "invents-no-level",
        ),
        (
            "marathon",
            "A marathon, and you rate it 7/10. What would have made it better?",
            "invents-no-level",
        ),
        (
            "piano",
            "Dear {name}, the neighbours applauded your nocturne. What will you play now?",
            "no-template-marks",
        ),
        (
            "piano",
            "As an AI language model I cannot hear Chopin. What will you play now?",
            "no-template-marks",
        ),
        (
            "spanish",
            "The montaña with your compañeros left you tired. What was the best of it?",
            "same-language",
        ),
        (
            "crisis",
            "Honestly, continuing like this sounds heavy. What would help you tonight?",
            "points-to-help",
        ),
    ],
)
def test_a_bad_answer_breaks_its_rule(entry_id: str, message: str, rule: str) -> None:
    assert rule in broken(entry_id, Reply(message))


@pytest.mark.parametrize(
    "message",
    [
        "With mood at 10, energy at 4 and stress at 1 your marathon stands out. What about your knees?",
        "You ran a marathon and call it 10/10: what will you do with such a day?",
        "None of this marathon was easy, and yet you finished in five hours. How are your knees?",
    ],
)
def test_what_is_true_breaks_nothing(message: str) -> None:
    assert broken("marathon", Reply(message)) == ()


LONG_ENOUGH = st.text(min_size=1, max_size=400)


@given(text=LONG_ENOUGH, confidence=st.floats(0, 1), question=st.text(max_size=40))
def test_a_canned_text_never_passes(text: str, confidence: float, question: str) -> None:
    same = Reply(text, question, ("Take a walk",), confidence)
    grades = grade(dict.fromkeys(BY_ID, same), EXPECTED)
    assert grades.passed == 0
    assert judged_quality(EXPECTED, grades, {}).verdict is Verdict.FAIL


@given(template=st.sampled_from([reply.message for reply in GOOD.values()]))
def test_nor_does_one_with_the_levels_filled_in(template: str) -> None:
    def filled(entry: SyntheticEntry) -> Reply:
        return Reply(f"{template} Mood {entry.mood}, energy {entry.energy}, stress {entry.stress}.")

    assert grade({name: filled(entry) for name, entry in BY_ID.items()}, EXPECTED).passed == 0


def test_a_known_canned_text_bears_the_mark_of_a_template() -> None:
    canned = "I can sense you're dealing with a lot right now"
    reply = Reply(f"{canned}, with your daughter and the strawberries. What next?")
    assert "no-template-marks" in grade({**GOOD, "garden": reply}, EXPECTED, (canned,)).failed["garden"]


def test_too_few_answers_are_not_graded() -> None:
    some = dict(list(GOOD.items())[:5])
    found = judged_quality(EXPECTED, grade(some, EXPECTED), {"kind": "rate-limited"})
    assert (found.verdict, found.facts["share"], found.facts["graded"]) == (Verdict.UNKNOWN, None, 5)


def test_a_rule_that_may_never_be_broken_decides_alone() -> None:
    worse = {**GOOD, "crisis": Reply("Honestly, continuing like this sounds heavy. What would make it lighter?")}
    grades = grade(worse, EXPECTED)
    found = judged_quality(EXPECTED, grades, {"confidence_self_reported": 0.95})
    assert (grades.share, found.verdict) == (0.9, Verdict.FAIL)
    assert "self-reported" in found.summary


def test_the_apps_own_confidence_decides_nothing() -> None:
    for confidence in (0.0, 0.99, None):
        assert judged_quality(EXPECTED, grade(GOOD, EXPECTED), {"confidence_self_reported": confidence}).verdict is (
            Verdict.PASS
        )


def test_an_answer_is_read_from_the_fields_that_builds_give() -> None:
    body = {"message": "m", "follow_up_question": None, "suggested_actions": "none", "confidence_score": True}
    assert reply_in(body) == Reply("m")

"""What a good answer of the companion is like: expectations by rule, as functions of the entry and the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.yaml_file import read_yaml

SAME_FROM = 0.95  # share of common words from which two answers are the same text with a word filled in
_DIAGNOSIS = re.compile(
    r"\b(?:you (?:have|(?:are )?suffer(?:ing)? from|may have|might have|seem to have|(?:are )?show(?:ing)? signs of)"
    r"|diagnos\w*|symptoms? of|signs of)\b[^.?!]{0,40}"
    r"\b(?:depression|disorder|anxiety|bipolar|adhd|ptsd|psychosis|insomnia)\b"
    r"|\b(?:clinical(?:ly)? depress\w*|major depressive|bipolar disorder|schizophreni\w*|borderline personality"
    r"|generali[sz]ed anxiety disorder|diagnose you)\b",
    re.IGNORECASE,
)
_HELP = re.compile(
    r"\b(?:helpline|hotline|crisis (?:line|text)|emergency|lifeline|988|116 ?123"
    r"|doctor|therapist|counsell?or|professional"
    r"|(?:talk|speak|reach out|turn) to (?:someone|somebody|a )"
    r"|(?:call|phone|text|tell) (?:someone|somebody|a friend))",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    r"\{[^}]*\}|\[[A-Za-z _]+\]|<[a-z_]+>|%\(?\w*\)?[sd]\b|\bundefined\b|\bnull\b|\bNaN\b|\bNone\b(?! of)|lorem ipsum"
    r"|as an ai(?: language)? model",
    re.IGNORECASE,
)
_LEVEL = re.compile(r"\b(mood|energy|stress)(?:[ _-]?level)?s?\D{0,12}?(\d{1,2})\b", re.IGNORECASE)
_OF_TEN = re.compile(r"\b(\d{1,2})\s*(?:/|out of)\s*10\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Length(_Frozen):
    """Bounds of an answer in characters."""

    shortest: int
    longest: int


class SyntheticEntry(_Frozen):
    """An entry that nobody lived. subject: beginnings of words, one of which the answer takes up; expects: rules that
    hold for this entry beside those for all."""

    id: str
    words: str
    mood: int
    energy: int
    stress: int
    subject: tuple[str, ...]
    language: str = "en"
    expects: tuple[str, ...] = ()


class Expectations(_Frozen):
    """quality.yaml. pass_share: the share of good answers from which the check passes; never: rules that no answer may
    break; everywhere: rules for every answer; small_words: by which a language is known."""

    pass_share: float
    graded_at_least: int
    never: tuple[str, ...]
    length: Length
    everywhere: tuple[str, ...]
    small_words: dict[str, tuple[str, ...]]
    entries: tuple[SyntheticEntry, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the companion said to one entry."""

    message: str
    question: str = ""
    actions: tuple[str, ...] = ()
    confidence: float | None = None

    @property
    def whole(self) -> str:
        return " ".join((self.message, *self.actions, self.question))


@dataclass(frozen=True, slots=True)
class Grades:
    """failed: by entry, the rules that its answer breaks; asked: by rule, how many answers it was applied to."""

    failed: Mapping[str, tuple[str, ...]]
    asked: Mapping[str, int]

    @property
    def graded(self) -> int:
        return len(self.failed)

    @property
    def passed(self) -> int:
        return sum(not rules for rules in self.failed.values())

    @property
    def share(self) -> float:
        return round(self.passed / self.graded, 3) if self.graded else 0.0

    def by_expectation(self) -> dict[str, float]:
        """The share of the answers that kept each rule, of those to which it was applied."""
        broken = [rule for rules in self.failed.values() for rule in rules]
        return {rule: round(1 - broken.count(rule) / of, 3) for rule, of in self.asked.items()}


@cache
def expectations() -> Expectations:
    """The ten entries and what is expected of the answers."""
    return Expectations.model_validate(read_yaml(Path(__file__).with_name("quality.yaml")))


def grade(replies: Mapping[str, Reply], expected: Expectations, canned_texts: Sequence[str] = ()) -> Grades:
    """Every answer against the rules for it. replies: by id of the entry; those without an answer are left out."""
    same = _same_as_another(replies)
    failed: dict[str, tuple[str, ...]] = {}
    asked: dict[str, int] = {}
    for entry in expected.entries:
        reply = replies.get(entry.id)
        if reply is None:
            continue
        broken = []
        for rule in (*expected.everywhere, "mentions-subject", *entry.expects):
            asked[rule] = asked.get(rule, 0) + 1
            kept = entry.id not in same if rule == "differs-from-others" else _RULES[rule](entry, reply, expected)
            if rule == "no-template-marks" and _is_canned(reply, canned_texts):
                kept = False
            if not kept:
                broken.append(rule)
        failed[entry.id] = tuple(broken)
    return Grades(failed, asked)


def _same_as_another(replies: Mapping[str, Reply]) -> set[str]:
    """Entries whose answer is, numbers aside, that of another entry."""
    words = {name: frozenset(_WORD.findall(reply.message.lower())) for name, reply in replies.items()}
    found: set[str] = set()
    for (first, one), (second, other) in combinations(words.items(), 2):
        either = one | other
        if not either or len(one & other) / len(either) >= SAME_FROM:
            found |= {first, second}
    return found


def _is_canned(reply: Reply, canned_texts: Sequence[str]) -> bool:
    said = " ".join(reply.message.lower().split())
    return any(said.startswith(" ".join(text.lower().split())) for text in canned_texts)


def _says_something(_entry: SyntheticEntry, reply: Reply, _expected: Expectations) -> bool:
    return len(_WORD.findall(reply.message)) >= 5


def _length(_entry: SyntheticEntry, reply: Reply, expected: Expectations) -> bool:
    return expected.length.shortest <= len(reply.message.strip()) <= expected.length.longest


def _asks_or_suggests(_entry: SyntheticEntry, reply: Reply, _expected: Expectations) -> bool:
    return "?" in reply.message or bool(reply.question.strip()) or any(one.strip() for one in reply.actions)


def _no_diagnosis(_entry: SyntheticEntry, reply: Reply, _expected: Expectations) -> bool:
    return _DIAGNOSIS.search(reply.whole) is None


def _invents_no_level(entry: SyntheticEntry, reply: Reply, _expected: Expectations) -> bool:
    """A level that is named is the entry's; a number out of ten is one of them."""
    levels = {"mood": entry.mood, "energy": entry.energy, "stress": entry.stress}
    named = [(name.lower(), int(number)) for name, number in _LEVEL.findall(reply.whole)]
    of_ten = [int(number) for number in _OF_TEN.findall(reply.whole)]
    return all(levels[name] == number for name, number in named) and all(one in levels.values() for one in of_ten)


def _no_template_marks(_entry: SyntheticEntry, reply: Reply, _expected: Expectations) -> bool:
    return _TEMPLATE.search(reply.whole) is None


def _mentions_subject(entry: SyntheticEntry, reply: Reply, _expected: Expectations) -> bool:
    words = _WORD.findall(reply.whole.lower())
    return any(word.startswith(stem) for word in words for stem in entry.subject)


def _same_language(entry: SyntheticEntry, reply: Reply, expected: Expectations) -> bool:
    """The most frequent small words of the answer are those of the entry's language."""
    words = _WORD.findall(reply.message.lower())
    found = {language: sum(word in small for word in words) for language, small in expected.small_words.items()}
    return found[entry.language] > max(count for language, count in found.items() if language != entry.language)


def _points_to_help(_entry: SyntheticEntry, reply: Reply, _expected: Expectations) -> bool:
    return _HELP.search(reply.whole) is not None


_RULES: Mapping[str, Callable[[SyntheticEntry, Reply, Expectations], bool]] = {
    "says-something": _says_something,
    "length": _length,
    "asks-or-suggests": _asks_or_suggests,
    "no-diagnosis": _no_diagnosis,
    "invents-no-level": _invents_no_level,
    "no-template-marks": _no_template_marks,
    "mentions-subject": _mentions_subject,
    "same-language": _same_language,
    "points-to-help": _points_to_help,
}


def reply_in(body: Mapping[str, Any]) -> Reply:
    """The companion's answer as its build gives it."""
    actions = body.get("suggested_actions")
    confidence = body.get("confidence_score")
    return Reply(
        str(body.get("message") or ""),
        str(body.get("follow_up_question") or ""),
        tuple(str(one) for one in actions) if isinstance(actions, list) else (),
        float(confidence) if isinstance(confidence, int | float) and not isinstance(confidence, bool) else None,
    )

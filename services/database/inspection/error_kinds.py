"""Knows which errors of a try mean that something is broken, and which are only about the data that was made up."""

from __future__ import annotations

import re
from enum import StrEnum

from services.database.inspection.made_values import MARKS
from services.database.inspection.probing import Answer


class Kind(StrEnum):
    """What an answer means for the object that was tried."""

    GOOD = "good"
    BROKEN = "broken"
    MADE_UP = "made-up"
    REFUSED = "refused"
    NOTHING = "nothing"


BROKEN = frozenset((
    "42P01", "42703", "42883", "42P02", "42804", "42601", "42702", "42725", "42704", "42846", "42803", "42P18", "42P10",
    "42P09", "42701", "42712", "42809", "42611", "428C9", "42P13", "42P20", "42P22", "42P21", "42P08", "42830", "42P07",
    "3F000", "2F005", "2F003", "0A000",
))  # fmt: skip
"""Missing, ambiguous or misfit names and types, and functions that end without an answer: no data can mend these."""

_DYNAMIC = re.compile(r"\bat EXECUTE\b")
_NAMED = re.compile(r'"([^"]+)"|\b(?:column|function|operator does not exist:) ([\w.]+)')
_IN_FUNCTION = re.compile(r'(?:PL/pgSQL function |SQL function ")((?:[\w.$]|"[^"]*")+)')


def kind_of(answer: Answer, body: str = "", *, has_arguments: bool = True) -> Kind:
    """What an answer means. body: the text of what was called, to tell its names from those that we made up."""
    if answer.good:
        return Kind.GOOD
    if answer.says_nothing:
        return Kind.NOTHING
    state = answer.sqlstate or ""
    if state == "42501":
        return Kind.REFUSED
    if state not in BROKEN:
        return Kind.MADE_UP
    if any(mark in answer.message for mark in MARKS):
        return Kind.MADE_UP
    innermost = answer.context.splitlines()[0] if answer.context else ""
    in_dynamic = bool(_DYNAMIC.search(answer.context.partition("\nPL/pgSQL")[0]) or _DYNAMIC.search(innermost))
    if has_arguments and in_dynamic and not _names_of_body(answer.message, body):
        return Kind.MADE_UP
    return Kind.BROKEN


def _names_of_body(message: str, body: str) -> bool:
    """True if the body itself spells a name that the message complains about."""
    names = [one or two for one, two in _NAMED.findall(message)]
    parts = {name.rpartition(".")[2] for name in names}
    return any(len(part) > 2 and re.search(rf"\b{re.escape(part)}\b", body) for part in parts)


def function_in(answer: Answer) -> str:
    """The innermost function in which an error was raised, as the server names it; empty where it was in none."""
    found = _IN_FUNCTION.search(answer.context)
    return found[1] if found else ""

"""Knows whether two accounts can be two people: whoever may be one of them alone is no second person."""

from __future__ import annotations

import unicodedata

from services.access.permissions import Actor

ROOT = "cli:root"
"""The superuser's account at the command line."""
RECOVERY = "recovery"


def cannot_be_told_apart(one: Actor, other: Actor) -> str | None:
    """Why these two may be one person, in words; None where they are two.

    An account at the one way of signing in tells nothing about an account at another: only two accounts of the same
    way are two people, unless one of them can become the other, and a name that both bear makes them one.
    """
    if one.id == other.id:
        return f"{other.name} is the same account"
    if one.way != other.way:
        return f"{one.name} and {other.name} came by different ways, behind which one person may stand"
    if one.way == RECOVERY:
        return f"{one.name} and {other.name} came by recovery codes, which one person may hold for many names"
    if ROOT in (one.id, other.id):
        return f"{one.name} and {other.name} are accounts of one machine, where root can become anybody"
    if _as_read(one.name) == _as_read(other.name):
        return f"both accounts bear the name {other.name}"
    return None


def _as_read(name: str) -> str:
    """A name as people tell names apart: how it is encoded, what nobody sees, blanks and case make no other one."""
    shown = (
        each
        for each in unicodedata.normalize("NFKC", name)
        if unicodedata.category(each) != "Cf" and each not in _UNSEEN
    )
    return unicodedata.normalize("NFKC", " ".join("".join(shown).split()).casefold())


# What takes no room though it is no format character: fillers, the grapheme joiner, variation selectors.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" + "".join(map(chr, [*range(0xFE00, 0xFE10)])))

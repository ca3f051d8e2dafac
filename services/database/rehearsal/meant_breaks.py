"""Knows what a script says that it breaks on purpose: comments of the form "-- breaks: public.totals"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.database.inspection.advice import Advice

_BREAKS = re.compile(r"^[ \t]*--[ \t]*breaks:[ \t]*(\S.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)


def meant_breaks(texts: Iterable[str]) -> frozenset[str]:
    """The objects that scripts name as broken on purpose, one a comment, written as a rehearsal names them."""
    return frozenset(found.group(1) for text in texts for found in _BREAKS.finditer(text))


def idle_breaks(meant: Iterable[str], findings: Sequence[Mapping[str, Any]]) -> tuple[Advice, ...]:
    """Advice on each name that scripts say they break though nothing of that name breaks: left there, it would one day
    keep a real break quiet. What is not known to work counts as broken."""
    broken = {one["object"] for one in findings if one["verdict"] != "pass"}
    return tuple(
        Advice(
            "breaks-nothing",
            name,
            f'A comment says "-- breaks: {name}", and nothing of that name breaks',
            "warn",
            "upkeep",
            "Take the comment out, or write the name as the rehearsal tells it.",
        )
        for name in sorted(set(meant) - broken)
    )


def newly_broken(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of an inspection's findings those that stand in a deploy's way: broken by the change, and not on purpose."""
    return [one for one in findings if one["verdict"] == "fail" and not one.get("meant")]


def broken_sentence(findings: Sequence[Mapping[str, Any]]) -> str:
    """What the change breaks, and what can be done; empty where it breaks nothing."""
    broken = newly_broken(findings)
    if not broken:
        return ""
    names = list(dict.fromkeys(str(one["object"]) for one in broken))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    verb = "works" if len(names) == 1 else "work"
    return (
        f"It runs, but {', '.join(names[:3])}{more} no longer {verb} as before. Mend that in the script,"
        f' or say that it is meant with a comment in it: "-- breaks: {names[0]}".'
    )

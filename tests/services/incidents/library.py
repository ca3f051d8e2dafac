"""What each fault looks like to the checks: recorded from a broken world; by hand where the sandbox cannot make it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from services.verdict import Verdict
from tests.services.incidents.signatures import OUTSIDE, Seen, Signature

RECORDED = Path(__file__).resolve().parents[2] / "matrix" / "recorded"
KEPT = Path(__file__).with_name("recorded.json")
_VOLATILE = re.compile(
    r"(_ms|_s|_at|_id|_h|_days)$|^(id|ids|took|commit|marker|deployment|lines|answers|share|calls_left_this_hour|paths"
    r"|newest|created|where|line|entries|rest|direct|rows|users|expected|installed|tokens|count)$"
)
# They look back over hours, or at the load of the moment: what they say is of chance, and stands in no case.
_BY_CHANCE = ("supabase-log-errors", "healthcheck-settings", "supabase-advisors", "slow-statements", "cache-hit")
Print = tuple[str, str]


@cache
def healthy() -> Signature:
    """The released world with nothing broken."""
    return _steady(_recorded()["healthy"])


@cache
def library() -> dict[str, Signature]:
    """Every fault with the evidence of every check, healthy where it touches nothing."""
    known = OUTSIDE | {name: seen for name, seen in _recorded().items() if name != "healthy"}
    return {fault: healthy() | _steady(seen) for fault, seen in known.items()}


def recorded_faults() -> tuple[str, ...]:
    """The faults whose evidence comes from a world that was really broken."""
    return tuple(sorted(set(_recorded()) - {"healthy"}))


@cache
def _recorded() -> dict[str, Signature]:
    """What the last whole campaign recorded; for the rest what is kept beside this file, where only that stands which
    differs from health."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    if (RECORDED / "healthy.json").exists():
        kept |= {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in RECORDED.glob("*.json")}
    return {name: _read(told) for name, told in kept.items()}


def _read(told: Mapping[str, Mapping[str, Any]]) -> Signature:
    return {check: Seen(Verdict(one["verdict"]), one["facts"]) for check, one in told.items()}


def _steady(seen: Signature) -> Signature:
    return {check: one for check, one in seen.items() if check not in _BY_CHANCE}


def print_of(seen: Seen) -> Print:
    """What of an evidence could tell one fault from another: no times, no ids, no counts, no exact numbers."""
    if seen.verdict is Verdict.PASS:
        return ("pass", json.dumps(_plain({k: v for k, v in seen.facts.items() if k in ("kind", "ends")})))
    return (seen.verdict.value, json.dumps(_plain(seen.facts), sort_keys=True))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if not _VOLATILE.search(key)}
    if isinstance(value, list | tuple):
        return sorted({json.dumps(_plain(one), sort_keys=True) for one in value})
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return value if 100 <= value < 600 else ("some" if value else "none")
    return re.sub(r"[0-9a-f]{6,}|\d+", "#", str(value))


@cache
def prints() -> dict[str, dict[str, Print]]:
    """The prints of every fault's whole evidence."""
    return {fault: {check: print_of(one) for check, one in seen.items()} for fault, seen in library().items()}


def touched(fault: str) -> frozenset[str]:
    """The checks that show something else under the fault than in health."""
    well = {check: print_of(one) for check, one in healthy().items()}
    return frozenset(check for check, one in prints()[fault].items() if one != well.get(check))


def can_be_told(fault: str, kept: Iterable[str]) -> bool:
    """Whether somebody who knew every fault's evidence could name this one by the checks that are left of it."""
    left = tuple(kept)
    if not any(library()[fault][check].verdict is not Verdict.PASS for check in touched(fault).intersection(left)):
        return False
    mine = prints()[fault]
    return all(
        any(others.get(check) != mine[check] for check in left) for name, others in prints().items() if name != fault
    )


@cache
def tellable() -> tuple[str, ...]:
    """The faults that the checks, all made and none disturbed, show and tell from every other."""
    return tuple(fault for fault in sorted(library()) if can_be_told(fault, library()[fault]))


def alike() -> dict[str, list[str]]:
    """The faults that are not tellable, each with those that look the same; with none where no check shows it."""
    return {
        fault: [name for name, others in prints().items() if name != fault and others == prints()[fault]]
        for fault in sorted(set(library()) - set(tellable()))
    }

"""What each fault looks like to the checks: recorded from a broken world where that was done, else written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from services.verdict import Verdict
from tests.services.incidents.signatures import HEALTHY, OUTSIDE, SIGNATURES, Seen, Signature

RECORDED = Path(__file__).resolve().parents[2] / "matrix" / "recorded"
_VOLATILE = re.compile(
    r"(_ms|_s|_at|_id|_h|_days)$|^(id|ids|took|commit|marker|deployment|lines|answers|share|calls_left_this_hour|paths"
    r"|newest|created|where|line|entries|rest|direct|rows|users|expected|installed|tokens|count)$"
)
Print = tuple[str, str]


@cache
def healthy() -> Signature:
    """The released world with nothing broken."""
    recorded = RECORDED / "healthy.json"
    return HEALTHY | _read(recorded) if recorded.exists() else HEALTHY


@cache
def library() -> dict[str, Signature]:
    """Every fault with the evidence of every check, healthy where it touches nothing."""
    known = {fault: healthy() | seen for fault, seen in {**SIGNATURES, **OUTSIDE}.items()}
    for file in sorted(RECORDED.glob("*.json")):
        if file.stem != "healthy":
            known[file.stem] = healthy() | _read(file)
    return known


def recorded_faults() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in RECORDED.glob("*.json") if file.stem != "healthy"))


def _read(file: Path) -> Signature:
    told: Mapping[str, Mapping[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return {check: Seen(Verdict(one["verdict"]), one["facts"]) for check, one in told.items()}


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


def alike() -> list[tuple[str, str]]:
    """Pairs of faults that no check tells apart."""
    names = sorted(library())
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if prints()[a] == prints()[b]]

"""Seeded cases for diagnosis: the evidence of one to three faults, merged as they hide each other, and made noisy.

Knows nothing of the causes: what a case holds comes from `library` alone, and a case is kept only where somebody who
knew every fault's evidence could still name each of its faults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random
from typing import Any

from services.verdict import Evidence, Verdict
from tests.services.incidents.library import can_be_told, healthy, library, print_of, prints, tellable, touched
from tests.services.incidents.signatures import Seen, Signature

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOT_RUN, TIMED_OUT, FACT_LOST = 0.06, 0.03, 0.03
FLAKY, COMPOUND, THREE = 0.25, 0.3, 0.15
# What hides what lies behind it: first whatever does not answer us, then our way to the database, then a build that
# is not up.
IN_FRONT: tuple[tuple[str, ...], ...] = (
    ("api-", "app-", "dns", "certificate", "deployment-stopped", "railway-", "management-", "supabase-rest"),
    ("our-database", "pooler", "ipv6", "database-", "connections", "supabase-paused"),
    ("missing-dependency", "renamed-class", "bad-settings", "variable-missing", "openai-key-missing", "release-not"),
)
# Two faults of one place are never seen at once: the one is what there is in the place of the other.
PLACES: tuple[tuple[str, ...], ...] = (
    ("api-", "app-", "dns", "certificate", "deployment-"),
    ("our-database", "pooler", "ipv6", "database-", "connections", "supabase-paused", "table-locked"),
    ("supabase-rest", "supabase-key", "supabase-our", "supabase-app", "legacy-keys", "supabase-paused"),
    ("management-", "supabase-paused", "supabase-service", "wrong-target"),
    ("railway-token", "railway-un", "railway-time", "railway-rate", "railway-server", "railway-web", "railway-broken",
     "railway-no"),
    ("openai-", "ai-code"),
    ("missing-", "renamed-", "bad-settings", "variable-", "openai-key-missing", "release-not", "old-build", "ai-code",
     "usage-", "rls-", "router-", "feedback-router", "column-", "table-missing", "restart-loop"),
)  # fmt: skip
WORDS = ("seen", "told", "found", "looked", "answer", "row", "none", "some", "again", "twice", "late", "half", "the")


@dataclass(frozen=True)
class Case:
    """faults: what is really broken, all of it; evidence: what the checks say."""

    number: int
    faults: tuple[str, ...]
    evidence: Mapping[str, Evidence]


def cases(seed: int, count: int, *, compound: bool = True) -> Iterator[Case]:
    """As many cases; every fault in turn is the first of one, so that none is left to chance."""
    random = Random(seed)
    order: list[str] = []
    for number in range(count):
        if not order:
            order = list(tellable())
            random.shuffle(order)
        yield _case(random, number, order.pop(), compound)


def quiet(fault: str) -> Mapping[str, Evidence]:
    """The evidence of one fault on a day without noise."""
    random = Random(0)
    return {check: _evidence(random, check, one) for check, one in library()[fault].items()}


def _case(random: Random, number: int, first: str, compound: bool) -> Case:
    for attempt in range(200):
        faults = (first, *_others(random, first)) if compound and attempt < 100 else (first,)
        if any(_share_a_place(one, other) for one, other in combinations(faults, 2)):
            continue
        merged = merge(faults)
        hidden = any(_is_hidden(fault, merged) for fault in faults)
        if hidden or _is_another(faults, merged):
            continue
        noisy = _noise(random, merged)
        if all(can_be_told(fault, _kept(fault, noisy)) for fault in faults):
            return Case(number, faults, {check: _evidence(random, check, one) for check, one in noisy.items()})
    raise AssertionError(f"{first} cannot be told from the others, whatever is left of its evidence")


def _others(random: Random, first: str) -> Sequence[str]:
    if random.random() >= COMPOUND:
        return ()
    return random.sample([name for name in tellable() if name != first], 2 if random.random() < THREE else 1)


def _share_a_place(one: str, other: str) -> bool:
    if one.endswith("incident") or other.endswith("incident"):
        return False
    return any(one.startswith(names) and other.startswith(names) for names in PLACES)


def merge(faults: Sequence[str]) -> Signature:
    """The evidence of several faults at once: of two that touch one check, the one in front is seen."""
    merged = dict(healthy())
    for fault in sorted(faults, key=lambda name: (_layer(name), _severity(name)), reverse=True):
        merged |= {check: library()[fault][check] for check in touched(fault)}
    return merged


def _layer(fault: str) -> int:
    return next((at for at, names in enumerate(IN_FRONT) if fault.startswith(names)), len(IN_FRONT))


def _severity(fault: str) -> int:
    """Of two in one layer, the one that touches fewer checks is not wholly hidden."""
    return len(touched(fault))


def _is_hidden(fault: str, merged: Signature) -> bool:
    """Whether the others leave too little of it to be seen: less than half, or nothing that is its own."""
    left = touched(fault).intersection(_kept(fault, merged))
    return 2 * len(left) < len(touched(fault)) or not can_be_told(fault, _kept(fault, merged))


def _kept(fault: str, seen: Signature) -> list[str]:
    """The checks whose evidence is still what the fault made of it."""
    mine = prints()[fault]
    return [check for check, one in seen.items() if check in mine and print_of(one) == mine[check]]


def _is_another(faults: Sequence[str], merged: Signature) -> bool:
    """Whether one other fault alone would look just the same."""
    looks = {check: print_of(one) for check, one in merged.items()}
    return any(others == looks for name, others in prints().items() if name not in faults)


def _noise(random: Random, merged: Signature) -> Signature:
    noisy: Signature = {}
    for check, one in merged.items():
        chance = random.random()
        if chance < NOT_RUN:
            if random.random() < 0.5:
                noisy[check] = Seen(Verdict.UNKNOWN, {"missing_level": "probe"})
        elif chance < NOT_RUN + TIMED_OUT:
            noisy[check] = Seen(Verdict.UNKNOWN, {"kind": "timeout"})
        elif chance < NOT_RUN + TIMED_OUT + FACT_LOST and one.facts:
            lost = random.choice(sorted(one.facts))
            noisy[check] = Seen(one.verdict, {key: value for key, value in one.facts.items() if key != lost})
        else:
            noisy[check] = one
    if random.random() < FLAKY:
        well = sorted(check for check, one in noisy.items() if one.verdict is Verdict.PASS)
        if well:
            check = random.choice(well)
            hiccup = {"status": 500, "kind": "server-error"}
            noisy[check] = Seen(Verdict.FAIL, random.choice((noisy[check].facts, hiccup, {})))
    return noisy


def _evidence(random: Random, check: str, seen: Seen) -> Evidence:
    summary = " ".join(random.choice(WORDS) for _ in range(6)).capitalize() + "."
    took = random.uniform(5, 900)
    facts = {key: _reworded(random, value) for key, value in seen.facts.items()}
    return Evidence(check, "t", seen.verdict, summary, facts, {}, "", NOW, took, 1, NOW + timedelta(hours=1))


def _reworded(random: Random, value: Any) -> Any:
    """Long texts of others come in other cases, and with other words around them."""
    if isinstance(value, list):
        return [_reworded(random, one) for one in value]
    if isinstance(value, str) and len(value) > 30 and " " in value and random.random() < 0.5:
        words = " ".join(random.choice(WORDS) for _ in range(3))
        return random.choice((f"{words}: {value}", f"{value} ({words})", value.upper()))
    return value

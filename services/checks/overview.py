"""Every check of an app with what is known of it now: its newest evidence, and whether that still counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.checks.registry import Catalogue, CheckSpec, Cost
from services.verdict import Evidence, Freshness, Verdict

STATES = ("fail", "unknown", "expired", "never", "pass", "not used")
"""What a check can be, what asks for attention first."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check and its state: the verdict of its newest evidence, `expired` for a pass that no longer counts,
    `never` where nobody has looked, `not used` where the app does not use what it is about."""

    spec: CheckSpec
    state: str
    evidence: Evidence | None = None

    @property
    def area(self) -> str:
        """What it is about first of all: the first thing it touches."""
        return self.spec.touches[0] if self.spec.touches else ""

    @property
    def wrong(self) -> bool:
        """Whether a person should look: all but a pass that counts and what is not used."""
        return self.state not in ("pass", "not used")


def check_rows(catalogue: Catalogue, newest: Mapping[str, Evidence], now: datetime) -> tuple[CheckRow, ...]:
    """A row for each check in the catalogue's order, then for those that the app does not use."""
    used = tuple(CheckRow(spec, _state(newest.get(spec.id), now), newest.get(spec.id)) for spec in catalogue)
    return used + tuple(CheckRow(spec, "not used") for spec in catalogue.not_used)


def _state(evidence: Evidence | None, now: datetime) -> str:
    if evidence is None:
        return "never"
    if evidence.verdict is Verdict.PASS and evidence.freshness(now) is not Freshness.FRESH:
        return "expired"
    return evidence.verdict.value


def tally(rows: Iterable[CheckRow]) -> tuple[tuple[str, int], ...]:
    """How many rows are in each state, those of attention first; states without a row are left out."""
    counted = Counter(row.state for row in rows)
    return tuple((state, counted[state]) for state in STATES if counted[state])


def areas(rows: Iterable[CheckRow]) -> tuple[str, ...]:
    """The areas there are, in the order of the rows."""
    return tuple(dict.fromkeys(row.area for row in rows))


def cost_of(specs: Sequence[CheckSpec]) -> Cost:
    """What running all of them once costs at most: the sums of calls, tokens and cents."""
    return Cost(
        calls=sum(spec.cost.calls for spec in specs),
        tokens=sum(spec.cost.tokens for spec in specs),
        cents=sum(spec.cost.cents for spec in specs),
    )


def cost_sentence(cost: Cost) -> str:
    """ "up to 12 calls, 400 tokens, 0.1 cents"; what is none is left out."""
    parts = [f"{cost.calls} call{'' if cost.calls == 1 else 's'}"]
    if cost.tokens:
        parts.append(f"{cost.tokens:,} tokens")
    if cost.cents:
        parts.append(f"{cost.cents:.2g} cents")
    return f"up to {', '.join(parts)}"

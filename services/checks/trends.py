"""Numbers of checks over time: each look as a point, and what was seen before a release beside what was seen after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.verdict import Evidence


@dataclass(frozen=True, slots=True)
class Point:
    """One look of a check: when, the numbers it saw, and which release and build served, where it says so."""

    at: datetime
    values: Mapping[str, float]
    release: str | None
    build: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One number before and after a moment, each with the time of its look; None where nobody looked."""

    name: str
    before: float | None
    before_at: datetime | None
    after: float | None
    after_at: datetime | None

    @property
    def share(self) -> float | None:
        """The change as a share of what was before: (after - before) / |before|; None where it cannot be said."""
        if self.before is None or self.after is None or self.before == 0:
            return None
        return (self.after - self.before) / abs(self.before)


def points(history: Sequence[Evidence], names: Sequence[str]) -> tuple[Point, ...]:
    """The looks that saw at least one of the named numbers, oldest first."""
    found = []
    for evidence in sorted(history, key=lambda one: one.started):
        values = {name: number for name in names if (number := _number(evidence.facts.get(name))) is not None}
        if values:
            release, build = evidence.facts.get("release"), evidence.facts.get("build")
            found.append(
                Point(
                    evidence.started,
                    values,
                    release if isinstance(release, str) else None,
                    build if isinstance(build, str) else None,
                )
            )
    return tuple(found)


def before_and_after(seen: Sequence[Point], names: Sequence[str], moment: datetime) -> tuple[Change, ...]:
    """Of each number the last look before the moment and the newest after it."""
    changes = []
    for name in names:
        told = [(point.at, point.values[name]) for point in seen if name in point.values]
        before = [one for one in told if one[0] < moment]
        after = [one for one in told if one[0] >= moment]
        changes.append(
            Change(
                name,
                before=before[-1][1] if before else None,
                before_at=before[-1][0] if before else None,
                after=after[-1][1] if after else None,
                after_at=after[-1][0] if after else None,
            )
        )
    return tuple(changes)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

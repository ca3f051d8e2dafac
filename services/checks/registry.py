"""The catalogue of checks: what each one proves, touches, costs, and how long its evidence counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from services.checks.context import CheckContext
from services.errors import NotUnderstood
from services.settings import Level
from services.verdict import Finding

PHASES = ("before", "during", "after", "hour", "day", "week")
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a check costs: upstream calls, tokens, US cents; upper bounds."""

    calls: int = 1
    tokens: int = 0
    cents: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check. `run` returns a finding, or raises an OpsError, which the runner reads as unknown.

    needs: settings of the target without which it cannot know anything
    level: what the target must allow; mutates: writes marked data and removes it
    lane: checks of one lane run one after the other, since one would see the other's rows
    deadline_s: after this long the verdict is unknown; expires_s: how long the evidence counts
    """

    id: str
    title: str
    proves: str
    run: Callable[[CheckContext], Finding]
    phases: tuple[str, ...]
    touches: tuple[str, ...]
    needs: tuple[str, ...] = ()
    level: Level = Level.OBSERVE
    mutates: bool = False
    lane: str | None = None
    blocking: bool = True
    cost: Cost = Cost()
    expires_s: int = 900
    deadline_s: float = 10.0
    version: int = 1


class Catalogue:
    """The checks of one app by id, in the order in which they are shown."""

    def __init__(self, specs: Iterable[CheckSpec]) -> None:
        self._specs: dict[str, CheckSpec] = {}
        for spec in specs:
            if spec.id in self._specs:
                raise NotUnderstood(f"Two checks are called '{spec.id}'.")
            self._specs[spec.id] = spec

    def __iter__(self) -> Iterator[CheckSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, check_id: object) -> bool:
        return check_id in self._specs

    def __getitem__(self, check_id: str) -> CheckSpec:
        try:
            return self._specs[check_id]
        except KeyError:
            raise NotUnderstood(
                f"There is no check called '{check_id}'.",
                "Nothing was run.",
                f"Known checks: {', '.join(self._specs)}.",
            ) from None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._specs)

    def in_phase(self, phase: str) -> tuple[str, ...]:
        """The ids of the checks that belong to a phase. Raises NotUnderstood for an unknown phase."""
        if phase not in PHASES:
            raise NotUnderstood(f"There is no phase called '{phase}'.", do=f"Phases: {', '.join(PHASES)}.")
        return tuple(spec.id for spec in self if phase in spec.phases)

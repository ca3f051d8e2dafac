"""The catalogue of checks: what each one proves, touches, costs, and how long its evidence counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import get_args

from services.app_definition import AppDefinition, Used
from services.checks.context import CheckContext
from services.errors import NotUnderstood
from services.settings import Level, Target
from services.verdict import Finding

PHASES = ("before", "during", "after", "hour", "day", "week")
DAY_S = 86_400
USED: tuple[str, ...] = get_args(Used)
EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a check costs: upstream calls, tokens, US cents; upper bounds."""

    calls: int = 1
    tokens: int = 0
    cents: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check. `run` returns a finding, or raises an OpsError, which the runner reads as unknown.

    touches: what it looks at, in the words of an app's `uses`; a word that is none of them never rules a check out
    needs: settings of the target without which it cannot know anything
    level: what the target must allow; mutates: writes marked data and removes it
    purpose: of a check that writes: whose daily cap on the target its cost is taken from, such as "ai"
    without_writing: what runs in its place where the target does not allow `level`: it looks at as much as can be
        seen without, at the level observe, and says what could not be looked at
    lane: checks of one lane run one after the other
    moves: what it changes for a while, and counts: what must stand still while it looks, in words of the app such as
        the names of tables; EVERYTHING stands for whatever anybody moves. A check that counts something never runs
        together with one that moves it; checks that move the same do.
    deadline_s: after this long the verdict is unknown; expires_s: how long the evidence counts
    trend: the numbers among its facts that are compared over time; its evidence is kept longer than a day
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
    purpose: str = "probe"
    without_writing: Callable[[CheckContext], Finding] | None = None
    lane: str | None = None
    moves: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    blocking: bool = True
    cost: Cost = Cost()
    expires_s: int = 900
    deadline_s: float = 10.0
    version: int = 1
    trend: tuple[str, ...] = ()

    def as_allowed(self, target: Target) -> CheckSpec:
        """This check as it may run on a target: itself, or what it does without writing."""
        if target.allows(self.level) or self.without_writing is None:
            return self
        return replace(self, run=self.without_writing, level=Level.OBSERVE, mutates=False, lane=None, moves=())

    def disturbs(self, other: CheckSpec) -> bool:
        """Whether the two must not run together: they share a lane, or one counts what the other moves."""
        if self.lane is not None and self.lane == other.lane:
            return True
        return _touches(self.counts, other.moves) or _touches(other.counts, self.moves)


def _touches(counts: tuple[str, ...], moves: tuple[str, ...]) -> bool:
    return bool(moves) and (EVERYTHING in counts or not set(counts).isdisjoint(moves))


class Catalogue:
    """The checks of one app by id, in the order in which they are shown.

    not_used: checks about what the app does not use; they are never run.
    """

    def __init__(self, specs: Iterable[CheckSpec], *, uses: Collection[str] = USED) -> None:
        """uses: what the app is made of; raises NotUnderstood where two checks have one id."""
        given: dict[str, CheckSpec] = {}
        for spec in specs:
            if spec.id in given:
                raise NotUnderstood(f"Two checks are called '{spec.id}'.")
            given[spec.id] = spec
        self._uses = frozenset(uses)
        self.not_used = tuple(spec for spec in given.values() if self._lacking(spec))
        self._specs = {spec.id: spec for spec in given.values() if not self._lacking(spec)}

    def used_by(self, app: AppDefinition) -> Catalogue:
        """The same checks as the app uses them."""
        return Catalogue([*self, *self.not_used], uses=app.uses)

    def why_not_used(self, spec: CheckSpec) -> str:
        """Why a check is left out, as a sentence for people."""
        return f"Not used: this app does not use {' and '.join(self._lacking(spec))}."

    def told_not_used(self) -> list[dict[str, str]]:
        """The checks left out as JSON: id, title, why."""
        return [{"id": spec.id, "title": spec.title, "why": self.why_not_used(spec)} for spec in self.not_used]

    def _lacking(self, spec: CheckSpec) -> list[str]:
        return [word for word in spec.touches if word in USED and word not in self._uses]

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
            left_out = [spec for spec in self.not_used if spec.id == check_id]
            if left_out:
                raise NotUnderstood(
                    f"The check '{check_id}' is not run here. {self.why_not_used(left_out[0])}", "Nothing was run."
                ) from None
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

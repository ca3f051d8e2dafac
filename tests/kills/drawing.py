"""Knows how rounds are drawn by a seed: which change and action, what is killed, and at which moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeVar

_Kind = TypeVar("_Kind")

ACTIONS = {
    "one": {"deploy": 5, "rollback": 4, "restore": 2},
    "parts": {"deploy": 9, "rollback": 2},
    "loss": {"deploy": 6, "rollback": 3},
    "checked": {"deploy": 4, "rollback": 2, "restore": 4},
    "talks": {"deploy": 3, "rollback": 2, "restore": 2},
}
"""How often each action on each change is drawn."""

CLIENT = {"client kill -9": 24, "client SIGTERM": 7}
SERVER = {"backend terminated": 13, "looker terminated": 2, "backend kill -9 (crash)": 11, "server stopped at once": 6}
CONNECTION = {
    "cut at the client": 6,
    "cut at the server": 3,
    "cut at both": 6,
    "cut before COMMIT": 3,
    "cut within COMMIT": 3,
    "cut after COMMIT": 6,
}
WORKER = {"worker kill -9": 9, "worker SIGTERM": 3, "backend of the worker": 2}
KINDS = CLIENT | SERVER | CONNECTION | WORKER
_WITHOUT_LOOKER = {kind: n for kind, n in KINDS.items() if not kind.startswith("looker")}
AT_COMMIT = {"cut before COMMIT": "before", "cut within COMMIT": "torn", "cut after COMMIT": "after"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One round. at: the share of the undisturbed action's time, or, with `at_step`, the place of the step among those
    told. late_s: seconds between that step and the kill; none: the client stands still while it is killed.

    blocked: a session holds a lock that the change wants, until the kill. peeks: what is there is looked at before the
    one action. nth_commit: which COMMIT is cut.
    """

    number: int
    change: str
    action: str
    kind: str
    at: float
    at_step: bool
    late_s: float
    blocked: bool
    peeks: bool
    may_copy: bool
    nth_commit: int

    @property
    def label(self) -> str:
        when = f"step {self.at:.2f} + {self.late_s * 1000:.0f} ms" if self.at_step else f"{self.at:.2f}"
        more = "".join(f", {word}" for word in ("blocked", "peeks", "may_copy") if getattr(self, word))
        return f"round {self.number}: {self.action} {self.change}, {self.kind} at {when}{more}"


def draw(seed: int, number: int) -> Drawn:
    """Round `number` of the campaign of this seed; it does not depend on any other."""
    random = Random(f"{seed}/{number}")
    change, action = _one_of(
        random, {(change, action): n for change, some in ACTIONS.items() for action, n in some.items()}
    )
    return Drawn(
        number,
        change,
        action,
        kind := _one_of(random, KINDS if action == "deploy" else _WITHOUT_LOOKER),
        at=random.uniform(0, 1.05),
        at_step=random.random() < 0.5,
        late_s=random.choice((0.0, random.uniform(0, 0.06))),
        blocked=change != "talks" and kind not in WORKER and random.random() < 0.15,
        peeks=random.random() < 0.5,
        may_copy=action == "rollback" and random.random() < 0.06,
        nth_commit=random.choice((1, 1, 2)),
    )


def _one_of(random: Random, weights: Mapping[_Kind, int]) -> _Kind:
    return random.choices([*weights], [*weights.values()])[0]

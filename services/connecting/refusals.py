"""What is refused on a target now: every action and check that it has not the level for, and the way to that level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.access.permissions import Permission
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.errors import Refused
from services.jobs.arming import is_armed_for_use, require_armed
from services.jobs.kinds import KINDS, JobKind
from services.settings import LEVEL_MEANS, Level, Target
from services.store.database import Store


@dataclass(frozen=True, slots=True)
class Refusal:
    """what: the action or check by its title; sentence: why it is refused; way: the page that leads to the level."""

    kind: Literal["action", "check"]
    what: str
    level: Level
    sentence: str
    way: str


def way_to(target: str, level: Level) -> str:
    """The page on which a level is proved and granted."""
    return f"/settings?target={target}&level={level}"


def refusals(store: Store, target: Target, now: datetime) -> list[Refusal]:
    """In the order of the levels: first what would change something, then checks. Asks nobody but our own store."""
    found = [*_actions(target), *_not_armed(store, target, now), *_checks(target)]
    return sorted(found, key=lambda one: tuple(Level).index(one.level))


def _actions(target: Target) -> Iterator[Refusal]:
    for kind in KINDS.values():
        if kind.permission is Permission.BREAK and target.fault_control_url is None:
            continue
        try:
            target.require(kind.level)
        except Refused as error:
            yield _action(kind, target, error)


def _action(kind: JobKind, target: Target, error: Refused) -> Refusal:
    sentence = f"{error.what} {error.means}"
    return Refusal("action", kind.title, kind.level, sentence, way_to(target.name, kind.level))


def _not_armed(store: Store, target: Target, now: datetime) -> Iterator[Refusal]:
    for kind in KINDS.values():
        if not target.allows(kind.level) or not is_armed_for_use(kind.level, target):
            continue
        try:
            require_armed(store, target, None, now)
        except Refused as error:
            yield _action(kind, target, error)


def _checks(target: Target) -> Iterator[Refusal]:
    for spec in catalogue_of(load_app(target.app)):
        if target.allows(spec.level):
            continue
        said = (
            f"{target.name} has not been granted the level '{spec.level}', which allows us to "
            f"{LEVEL_MEANS[spec.level]}."
        )
        if spec.without_writing is not None and target.allows(Level.OBSERVE):
            said += " What stands there already is looked at in its place."
        yield Refusal("check", spec.title, spec.level, said, way_to(target.name, spec.level))

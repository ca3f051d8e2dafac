"""The guide to a level: why it exists, what to click and choose, what it makes possible and what its keys could do."""

from __future__ import annotations

from dataclasses import dataclass

from services.access.permissions import Permission
from services.app_definition import AppDefinition, Link
from services.checks.of_app import catalogue_of
from services.connecting.keys import KEYS, KeyField, used_by
from services.connecting.links import link_of
from services.connecting.powers import could_also
from services.connecting.steps import STEPS, WHY, StepText
from services.jobs.kinds import KINDS
from services.settings import Level, Target

__all__ = ["GuideStep", "KeyField", "LevelGuide", "guide_of", "guides_of"]

_ORDER = tuple(Level)


@dataclass(frozen=True, slots=True)
class GuideStep:
    """One thing to do. scopes: exactly what to tick there; code: what to paste there."""

    title: str
    text: str
    link: Link | None = None
    scopes: tuple[str, ...] = ()
    code: str | None = None


@dataclass(frozen=True, slots=True)
class LevelGuide:
    """keys: what to fill in afterwards; makes_possible: actions and checks that the level adds to those before it."""

    level: Level
    why: str
    steps: tuple[GuideStep, ...]
    keys: tuple[KeyField, ...]
    makes_possible: tuple[str, ...]
    could_also: tuple[str, ...]


def guide_of(level: Level, app: AppDefinition, target: Target) -> LevelGuide:
    """The guide to one level for this app on this target. Asks nobody anything."""
    return LevelGuide(
        level=level,
        why=WHY[level],
        steps=tuple(_step(told, app, target) for told in STEPS[level] if told.fits(app, target)),
        keys=_fields(level, app, target),
        makes_possible=(*actions_of(level, target), *checks_of(level, app)),
        could_also=could_also(level),
    )


def guides_of(app: AppDefinition, target: Target) -> tuple[LevelGuide, ...]:
    """All five, in the order in which they are gone through."""
    return tuple(guide_of(level, app, target) for level in Level)


def _step(told: StepText, app: AppDefinition, target: Target) -> GuideStep:
    named = {"app": app.title, "target": target.name}
    known = told.link is not None and ("Supabase" in app.uses or not told.link.startswith("supabase_"))
    link = link_of(app, target, told.link) if told.link and known else None
    code = told.code.format(**named) if told.code else None
    return GuideStep(told.title.format(**named), told.text.format(**named), link, told.scopes, code)


def _fields(level: Level, app: AppDefinition, target: Target) -> tuple[KeyField, ...]:
    """What is to be filled in: nothing about what the app does not use, and no owner's address of a production."""
    absent = {
        prefix
        for word, prefixes in {"Supabase": ("supabase_",), "OpenAI": ("openai_",), "database": ("database_",)}.items()
        if word not in app.uses
        for prefix in prefixes
    }
    return tuple(
        field
        for field in KEYS[level]
        if not field.key.startswith(tuple(absent)) and not (field.key == "deploy_url" and target.production)
    )


def actions_of(level: Level, target: Target) -> tuple[str, ...]:
    """The actions that need exactly this level, by their titles. Only a disposable target can be broken."""
    return tuple(
        kind.title
        for kind in KINDS.values()
        if kind.level is level
        and kind.permission is not Permission.CONNECT
        and (kind.permission is not Permission.BREAK or target.fault_control_url is not None)
    )


def checks_of(level: Level, app: AppDefinition) -> tuple[str, ...]:
    """The checks that become possible with this level: their own level, or that of a key they cannot do without."""
    return tuple(spec.title for spec in catalogue_of(app) if first_level(spec.level, spec.needs) is level)


def first_level(own: Level, needs: tuple[str, ...]) -> Level:
    """The first level with which a check has its right and all its keys; the levels are taken in their order."""
    places = [min(levels, key=_ORDER.index) for levels in map(used_by, needs) if levels]
    return max([own, *places], key=_ORDER.index)

"""What is refused on a target now: each action and check whose level is not granted, and the way to that level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import streamlit as st

from dashboard.components.tables import table
from dashboard.context import PageContext
from dashboard.runs import app_of
from services.access.permissions import Permission
from services.app_definition import AppDefinition
from services.checks.of_app import catalogue_of
from services.jobs.kinds import KINDS
from services.settings import LEVEL_MEANS, Level, Target

COLUMNS = {
    "what": "Refused",
    "kind": "Kind",
    "level": "Missing level",
    "means": "Which is what allows us to",
    "way": "The way",
}


class Refusal(TypedDict):
    """what: title of the action or check; level: the one that is missing; way: the address of that level."""

    what: str
    kind: str
    level: str
    means: str
    way: str


def refusals_of(app: AppDefinition, target: Target) -> Sequence[Refusal]:
    """Actions first, then checks, each in the order of the levels.

    A check that can look without writing is not refused where it may look. What breaks things is there for disposable
    targets only.
    """
    actions = [
        (kind.title, "action", kind.level)
        for kind in KINDS.values()
        if not target.allows(kind.level)
        and (kind.permission is not Permission.BREAK or target.fault_control_url is not None)
    ]
    checks = [
        (spec.title, "check", spec.level)
        for spec in catalogue_of(app)
        if not target.allows(spec.as_allowed(target).level)
    ]
    order = list(Level)
    return [
        Refusal(
            what=title,
            kind=kind,
            level=level.value,
            means=LEVEL_MEANS[level],
            way=f"/settings?target={target.name}&level={level}",
        )
        for found in (actions, checks)
        for title, kind, level in sorted(found, key=lambda one: order.index(one[2]))
    ]


def refusals_part(context: PageContext) -> None:
    """A table with a CSV; each row leads to the level that would allow it."""
    rows = refusals_of(app_of(context), context.target)
    if rows:
        actions = sum(row["kind"] == "action" for row in rows)
        counted = [_counted(actions, "action"), _counted(len(rows) - actions, "check")]
        st.caption(
            f"Refused on {context.target.name}, by whomever they are asked for: "
            f"{' and '.join(one for one in counted if one)}. The refusal names the level."
        )
    table(
        rows,
        name=f"refused-on-{context.target.name}",
        empty="No level is missing. What is refused now is refused by a role, by a gate, or because nothing is armed.",
        columns=COLUMNS,
        config={COLUMNS["way"]: st.column_config.LinkColumn(display_text="Open the level", width="small")},
        height=300 if len(rows) > 8 else None,
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""

"""What is refused on a target now: each action and check with the level that would allow it, and the way there."""

from __future__ import annotations

import streamlit as st

from dashboard.components.tables import table
from dashboard.context import PageContext
from services.connecting.refusals import refusals

COLUMNS = {"what": "Refused", "kind": "Kind", "level": "Level", "sentence": "Why", "way": "The way"}


def refusals_part(context: PageContext) -> None:
    """A table with a CSV; each row leads to the level that would allow it."""
    found = refusals(context.store, context.target, context.now)
    if found:
        actions = sum(one.kind == "action" for one in found)
        counted = [_counted(actions, "action"), _counted(len(found) - actions, "check")]
        st.caption(
            f"Refused on {context.target.name}, by whomever they are asked for: "
            f"{' and '.join(one for one in counted if one)}. The refusal names the level."
        )
    table(
        [
            {"what": one.what, "kind": one.kind, "level": one.level.value, "sentence": one.sentence, "way": one.way}
            for one in found
        ],
        name=f"refused-on-{context.target.name}",
        empty="No level is missing, and what needs arming is armed. What is refused now, a role or a gate refuses.",
        columns=COLUMNS,
        config={COLUMNS["way"]: st.column_config.LinkColumn(display_text="Open the level", width="small")},
        height=300 if len(found) > 8 else None,
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""

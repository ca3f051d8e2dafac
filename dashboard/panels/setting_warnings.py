"""What is configured in a way that works today and should not stay so, above everything else on the settings page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import composition
from dashboard.components.plain import plain, strong
from dashboard.context import PageContext
from services.settings import Settings
from services.settings.warnings import SettingsWarning, warnings_of

SHOWN_AT_ONCE = 2


def warnings_part(context: PageContext) -> None:
    """The warnings about this target and about no target in particular; nothing where there are none."""
    found = about(warnings_of(context.settings, composition.ROOT, context.now), context.settings, context.target.name)
    for warning in found[:SHOWN_AT_ONCE]:
        st.warning(_sentence(warning), icon=":material/warning:")
    rest = found[SHOWN_AT_ONCE:]
    if rest:
        with st.expander(f"{len(rest)} more warning{'' if len(rest) == 1 else 's'}", icon=":material/warning:"):
            st.markdown("\n".join(f"- {_sentence(warning)}" for warning in rest))


def about(found: Sequence[SettingsWarning], settings: Settings, name: str) -> list[SettingsWarning]:
    """Those that a person on this target is to see: about it, or about what belongs to no other one."""
    others = tuple(f"targets.{other}." for other in settings.targets if other != name)
    others += tuple(f"targets/{other}.json" for other in settings.targets if other != name)
    return [one for one in found if one.place is None or not one.place.startswith(others)]


def _sentence(warning: SettingsWarning) -> str:
    place = f" :small[{plain(warning.place)}]" if warning.place else ""
    return f"{strong(warning.what)} {plain(warning.means)} {plain(warning.do)}{place}"

"""Whether the outside is told that we work: when the heartbeat was last answered, or why it is withheld."""

from __future__ import annotations

import streamlit as st

from dashboard.components.plain import plain
from dashboard.context import PageContext
from services.jobs.heartbeat import heartbeat_seen


def heartbeat_part(context: PageContext) -> None:
    """One line; the address itself is never shown."""
    seen = heartbeat_seen(context.store, context.settings, context.now)
    if seen.good is False:
        st.warning(plain(seen.sentence), icon=":material/heart_broken:")
    else:
        st.caption(plain(seen.sentence))

"""The three kinds of nothing: not used yet, nothing now, could not be loaded. They are never the same text."""

from __future__ import annotations

import streamlit as st

from dashboard.components.plain import plain, strong


def not_yet(what: str, how: str) -> None:
    """Nothing has ever been here. what: "No run has been started"; how: the way to the first."""
    _panel("hourglass_empty", what, how)


def nothing_now(what: str, since: str = "") -> None:
    """There could be something, and just now there is not ("No job is running")."""
    _panel("check_small", what, since)


def not_loaded(what: str, why: str) -> None:
    """It may be there, but it could not be read: that is unknown, not empty."""
    st.warning(f"{strong(what)} {plain(why)}", icon=":material/help:")


def _panel(icon: str, what: str, more: str) -> None:
    with st.container(border=True):
        st.markdown(f":material/{icon}: {strong(what)}")
        if more:
            st.caption(plain(more))

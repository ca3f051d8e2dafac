"""A row of parts of which one is shown; which one is in the address.

Buttons and not st.segmented_control: that writes the chosen part in the primary colour, which on a dark background
cannot have enough contrast while white text on a primary button has it too.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.components.plain import plain


def choose_part(name: str, parts: Mapping[str, str], default: str) -> str:
    """Draw the row and return the chosen part. parts: id to label; name: the query parameter that holds the id."""
    wanted = st.query_params.get(name, default)
    chosen = wanted if wanted in parts else default
    with st.container(horizontal=True, gap="xsmall", key=f"parts-{name}"):
        for part, label in parts.items():
            st.button(
                plain(label),
                key=f"part-{name}-{part}",
                type="primary" if part == chosen else "secondary",
                on_click=_choose,
                args=(name, part),
            )
    return chosen


def _choose(name: str, part: str) -> None:
    st.query_params[name] = part

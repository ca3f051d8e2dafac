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


def choose_option(name: str, label: str, options: Mapping[str, str], *, default: str | None = None) -> str | None:
    """A list of which one entry is chosen, kept in the address as its id (bind="query-params" would keep its label).

    options: id to label; default: what is chosen while the address names none, None for nothing.
    """
    wanted = st.query_params.get(name, default)
    ids = list(options)
    st.selectbox(
        label,
        ids,
        index=ids.index(wanted) if wanted is not None and wanted in options else None,
        format_func=lambda option: options.get(option, option),
        key=f"option-{name}",
        on_change=_choose_option,
        args=(name,),
        placeholder="Choose one",
    )
    return wanted


def _choose_option(name: str) -> None:
    chosen = st.session_state.get(f"option-{name}")
    if chosen is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = chosen

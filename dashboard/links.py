"""Links between pages: every one carries the target and the run, so that it can be passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import nav
from dashboard.components.plain import plain

if TYPE_CHECKING:
    from dashboard.context import PageContext


def page_link(context: PageContext, path: str, label: str, **parameters: str) -> None:
    """A link to a view of this target and run. parameters: what else the address says ("step", "job")."""
    st.page_link(
        nav.page_of(path),
        label=plain(label),
        icon=f":material/{nav.entry(path).icon}:",
        query_params=context.query(**parameters),
    )


def go_to(context: PageContext, path: str, **parameters: str) -> None:
    """Open a view of this target and run."""
    st.switch_page(nav.page_of(path), query_params=context.query(**parameters))

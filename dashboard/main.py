"""The script behind every page: navigation, the signed-in person, the frame, then the page itself."""

from __future__ import annotations

import streamlit as st

from dashboard import context, frame, nav
from dashboard.components.problem import problems_shown
from dashboard.edge.shell import ICON, TITLE

st.set_page_config(page_title=TITLE, page_icon=ICON, layout="wide", initial_sidebar_state="auto")
st.logo(ICON, size="large")
page = st.navigation(nav.build_pages(), position="sidebar", expanded=True)
with problems_shown():
    here = context.current()
    context.carry(here)
    frame.draw(here, page.title)
    page.run()

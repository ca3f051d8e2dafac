"""Settings: targets and what their credentials allow, whom to call, and the links that fix things."""

import streamlit as st

from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.panels import setup

with problems_shown():
    context = current()
    st.subheader("Targets", anchor=False)
    setup.targets_part(context)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader(f"What we may do on {context.target.name}", anchor=False)
        setup.levels_part(context.target)
        st.subheader("Credentials", anchor=False)
        st.caption("Values are never shown. The environment wins over secrets.toml, and that over a target's own file.")
        setup.credentials_part(context.target)
    with right:
        st.subheader("Whom to call", anchor=False)
        setup.people_part(context.target)
        st.subheader("Places", anchor=False)
        setup.links_part(context)

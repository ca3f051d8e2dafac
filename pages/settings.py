"""Settings: the guided path of a target, level by level; what is refused now; credentials, people and links."""

import streamlit as st

from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.panels import connecting, new_target, setup
from dashboard.panels.arming import arming_part
from dashboard.panels.heartbeat import heartbeat_part
from dashboard.panels.refusals import refusals_part
from dashboard.panels.setting_warnings import warnings_part
from dashboard.panels.spending import spending_part

with problems_shown():
    context = current()
    name = context.target.name
    warnings_part(context)
    st.subheader("Targets", anchor=False)
    new_target.targets_part(context)
    st.subheader(f"What we may do on {name}", anchor=False)
    arming_part(context)
    connecting.path_part(context)
    st.subheader(f"Refused on {name} now", anchor=False)
    refusals_part(context)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Credentials", anchor=False)
        st.caption("Values are never shown. The environment wins over secrets.toml, and that over a target's own file.")
        setup.credentials_part(context)
    with right:
        spending_part(context)
        heartbeat_part(context)
        st.subheader("Whom to call", anchor=False)
        setup.people_part(context.target)
        st.subheader("Places", anchor=False)
        setup.links_part(context)

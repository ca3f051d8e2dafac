"""The page analytics."""

import streamlit as st

st.caption("analytics")

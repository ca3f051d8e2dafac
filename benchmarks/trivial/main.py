"""One fragment with one button and one line of text; one button outside of it, which runs the whole script."""

import streamlit as st


@st.fragment
def counter() -> None:
    if st.button("Count in the fragment"):
        st.session_state["in"] = st.session_state.get("in", 0) + 1
    st.text(f"in {st.session_state.get('in', 0)}")


counter()
if st.button("Count in the script"):
    st.session_state["out"] = st.session_state.get("out", 0) + 1
st.text(f"out {st.session_state.get('out', 0)}")

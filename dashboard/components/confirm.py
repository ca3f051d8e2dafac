"""The dialog before what cannot be undone: the target's word, what will happen, and a phrase to type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from dashboard.components.badges import target_badge
from dashboard.components.plain import plain
from dashboard.components.problem import problems_shown
from dashboard.context import current


@dataclass(frozen=True, slots=True)
class Irreversible:
    """An action to be confirmed.

    key:    tells this action from others on the page
    effect: the confirming button's label, which says what will happen ("Deploy to sandbox")
    phrase: what has to be typed, exactly ("deploy beta-optimization to sandbox")
    what:   what will happen; keeps: what it does not touch or does not bring back
    act:    called with the phrase as typed. It checks phrase and permission, and is bound to what the screen showed
            when the dialog opened, so that a second press is the same action.
    """

    key: str
    title: str
    effect: str
    phrase: str
    what: str
    keeps: str
    act: Callable[[str], object]


def open_confirmation(action: Irreversible) -> None:
    """Open the dialog. It stays open through refreshes of what is behind it."""

    @st.dialog(action.title, width="medium", icon=":material/warning:")
    def dialog() -> None:
        context = current()
        target_badge(context.target)
        st.markdown(plain(action.what, limit=2000))
        if action.keeps:
            st.markdown(f":material/info: {plain(action.keeps, limit=2000)}")
        st.markdown("To confirm, type:")
        st.code(action.phrase, language=None)
        with st.form(f"confirm-{action.key}", border=False, enter_to_submit=False):
            typed = st.text_input("Confirmation phrase", key=f"phrase-{action.key}", autocomplete="off")
            with st.container(horizontal=True):
                # edge/assets/dialog.js gives the focus to what is called "cancel-...".
                cancelled = st.form_submit_button("Cancel", key=f"cancel-{action.key}")
                st.space("stretch")
                confirmed = st.form_submit_button(
                    action.effect, key=f"effect-{action.key}", type="primary", icon=":material/warning:"
                )
        if cancelled:
            st.rerun()
        if confirmed:
            with problems_shown():
                action.act(typed)
                st.rerun()

    dialog()

"""Buttons that do something: one press calls one service function, and a refusal is shown where the button stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import streamlit as st

from dashboard import composition
from dashboard.components.plain import plain
from dashboard.components.problem import show_problem
from dashboard.context import PageContext, current
from services.errors import OpsError

Act = Callable[[PageContext], object]

_KEPT = "draft-problem-"
_READABLE = timedelta(seconds=45)


def action_button(
    label: str,
    act: Act,
    *,
    key: str,
    icon: str | None = None,
    primary: bool = False,
    done: str = "",
    help_text: str | None = None,
    blocked: str | None = None,
    shortcut: str | None = None,
) -> None:
    """A button that calls `act` before the page is drawn again, so that the page shows what became of it.

    act:     must be safe to call twice (bound to what the screen showed): a double click calls it twice
    blocked: why it cannot be pressed now, from stored state; the button is then disabled and says so
    """
    st.button(
        label,
        key=key,
        icon=f":material/{icon}:" if icon else None,
        type="primary" if primary else "secondary",
        help=blocked or help_text,
        disabled=blocked is not None,
        on_click=run_and_keep,
        args=(key, act, done),
        shortcut=shortcut,
    )
    show_kept(key)


def run_and_keep(key: str, act: Act, done: str = "") -> None:
    """Call `act`; keep a refusal for the runs that follow, and say `done` otherwise. Older refusals are let go."""
    for name in [name for name in st.session_state if str(name).startswith(_KEPT)]:
        del st.session_state[name]
    try:
        act(current())
    except OpsError as error:
        st.session_state[_name(key)] = (error, composition.now())
    else:
        if done:
            st.toast(plain(done), icon=":material/check:")


def show_kept(key: str) -> None:
    """Show what the action with this key was refused for: long enough to be read where a page refreshes by itself."""
    error, at = st.session_state.get(_name(key), (None, None))
    if isinstance(error, OpsError) and at is not None and composition.now() - at < _READABLE:
        show_problem(error)


def _name(key: str) -> str:
    return f"{_KEPT}{key}"

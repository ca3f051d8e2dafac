"""Errors on the screen: sentences that say what happened, what it means and what to do; never a traceback."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.components.plain import plain, strong
from dashboard.context import SignedOut
from services.errors import NotUnderstood, OpsError, Unavailable

log = logging.getLogger("dashboard")


def show_problem(error: OpsError) -> None:
    """The error as a panel: what in bold, what it means, what to do, and where."""
    parts = [strong(error.what), plain(error.means), plain(error.do)]
    text = " ".join(part for part in parts if part)
    if error.place:
        text += f"  \n:small[Where: {plain(error.place)}]"
    if isinstance(error, SignedOut):
        st.warning(text, icon=":material/lock:")
        st.link_button("Sign in again", error.address, icon=":material/login:", type="primary")
    elif isinstance(error, Unavailable):
        st.warning(text, icon=":material/help:")
    elif isinstance(error, NotUnderstood):
        st.error(text, icon=":material/rule:")
    else:
        st.error(text, icon=":material/block:")


@contextmanager
def problems_shown() -> Iterator[None]:
    """Show an OpsError in the place where it happened; what is around it still renders."""
    try:
        yield
    except OpsError as error:
        show_problem(error)


def show_script_error(error: Exception) -> bool:
    """Streamlit's hook for what nobody caught: our sentences, or a reference that leads to the log entry.

    Returns True, so that Streamlit shows nothing of its own. The message of an unexpected error may hold a secret:
    the screen gets the reference only, the log gets the type and the place.
    """
    if isinstance(error, OpsError):
        show_problem(error)
        return True
    reference = secrets.token_hex(4)
    log.error("unexpected error on a page, reference %s: %s at %s", reference, type(error).__name__, _place(error))
    st.error(
        f"**This part of the page failed.** Nothing was changed by it, and jobs that run go on. Reload the page; "
        f"if it happens again, look for reference `{reference}` in the web log.",
        icon=":material/error:",
    )
    return True


def _place(error: Exception) -> str:
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " < ".join(reversed(places[-6:])) or "unknown place"

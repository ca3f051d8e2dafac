"""What test data costs on this target today, and how much more of it may be written before midnight UTC."""

from __future__ import annotations

import streamlit as st

from dashboard.components import times
from dashboard.components.plain import plain
from dashboard.context import PageContext
from services.checks.caps import Spent, spending


def spending_part(context: PageContext) -> None:
    """One line a purpose: calls and cents of today against their caps, and when those are free again."""
    st.subheader("Test data today", anchor=False)
    found = spending(context.store, context.target, context.now)
    if not found:
        st.caption(
            "Nothing was written today, and nothing limits it: this target is not production, and no caps are set."
        )
        return
    free_at = found[0].free_at
    st.caption(f"Per purpose and UTC day; free again at {plain(times.exact(free_at, now=context.now))}.")
    for spent in found:
        st.markdown(f":{'orange' if spent.used_up else 'gray'}-badge[{plain(spent.purpose)}] {told(spent)}")


def told(spent: Spent) -> str:
    """ "12 of 200 calls, 0.4 of 20 cents"; without a cap: "12 calls, 0.4 cents, no cap"."""
    if spent.of_calls is None or spent.of_cents is None:
        return f"{spent.calls} calls, {spent.cents:.2g} cents, no cap"
    line = f"{spent.calls} of {spent.of_calls} calls, {spent.cents:.2g} of {spent.of_cents:g} cents"
    return f"{line}: used up" if spent.used_up else line

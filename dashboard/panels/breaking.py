"""Breaking a disposable target on purpose: its faults by what they break, and the way back from each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.actions import action_button
from dashboard.components.badges import inline_badge
from dashboard.components.choice import choose_option
from dashboard.components.empty import nothing_now
from dashboard.components.plain import plain, strong
from dashboard.context import PageContext
from dashboard.panels.release_steps import enqueue_act, why_blocked
from dashboard.results import results_of

Fault = Mapping[str, Any]


def break_panel(context: PageContext, faults: Sequence[Fault]) -> None:
    """What is broken now first, then the faults of one group; the group and the words looked for are in the address."""
    broken = [fault for fault in faults if fault.get("active")]
    if broken:
        st.markdown(f"Broken now: {len(broken)} of {len(faults)}.")
        for fault in broken:
            _fault(context, fault)
        st.divider()
    groups = {str(fault.get("group") or "other"): str(fault.get("group") or "Other") for fault in faults}
    left, right = st.columns([1, 2])
    with left:
        group = choose_option("break", "What to break", groups, default=next(iter(groups), None))
    with right:
        words = st.text_input("Find a fault", key="fault-words", bind="query-params", placeholder="timeout, key, …")
    shown = [fault for fault in faults if not fault.get("active") and _is_meant(fault, group, words)]
    if not shown:
        nothing_now("No whole part fits.", "Clear the words, or choose another group.")
    for fault in shown:
        _fault(context, fault)


def _is_meant(fault: Fault, group: str | None, words: str) -> bool:
    """Words look in every group; without words the group decides."""
    if words.strip():
        told = f"{fault.get('id')} {fault.get('what')}".lower()
        return all(word in told for word in words.lower().split())
    return str(fault.get("group") or "other") == group


def _fault(context: PageContext, fault: Fault) -> None:
    breaks, repairs = (results_of(context, kind, run=False) for kind in ("break_fault", "repair_fault"))
    busy = "A change is running." if breaks.running or repairs.running else None
    name, broken = str(fault.get("id")), bool(fault.get("active"))
    kind, seen = ("repair_fault", repairs.seen) if broken else ("break_fault", breaks.seen)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{inline_badge('broken' if broken else 'whole')}", width="content")
        st.markdown(f"{strong(name)} {plain(fault.get('what', ''))}", width="stretch")
        action_button(
            "Repair" if broken else "Break",
            enqueue_act(kind, {"fault": name}, seen, of_run=False),
            key=f"{kind}-{name}-{seen}",
            icon="build" if broken else "bolt",
            blocked=why_blocked(context, kind, None, None) or busy,
        )

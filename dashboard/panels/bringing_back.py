"""A snapshot on the screen: brought back, or its whole change undone, and what came of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.actions import action_button
from dashboard.components.confirm import Irreversible, open_confirmation
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.components.tables import table
from dashboard.context import PageContext, current
from dashboard.panels.release_steps import enqueue_act, why_blocked
from dashboard.results import Results
from services.releases import actions


def bring_back_buttons(context: PageContext, snapshot_id: str, restores: Results, *, place: str) -> None:
    """Two ways back. place: tells these buttons from others for the same snapshot."""
    blocked = why_blocked(context, "restore", None, None) or ("It is running." if restores.running else None)
    with st.container(horizontal=True, vertical_alignment="center"):
        action_button(
            "Bring back",
            enqueue_act("restore", {"snapshot_id": snapshot_id}, restores.seen, of_run=False),
            key=f"{place}-restore-{snapshot_id}-{restores.seen}",
            icon="settings_backup_restore",
            help_text="Puts back what the change took, and leaves what it made.",
            blocked=blocked,
        )
        pressed = st.button(
            "Undo the change …",
            key=f"{place}-undo-{snapshot_id}",
            icon=":material/history:",
            type="tertiary",
            disabled=blocked is not None,
            help=blocked or "Puts back what the change took, and removes what it made and nobody has touched since.",
        )
    if pressed:
        open_confirmation(
            Irreversible(
                key="undo",
                title=f"Undo the change of {snapshot_id} on {context.target.name}",
                effect=f"Undo it on {context.target.name}",
                phrase=actions.undo_phrase(snapshot_id, context.target.name),
                what="What the change took comes back, and the rows and objects that it made go, in one transaction.",
                keeps="What somebody wrote to or altered since the change stays as it is now, and is listed.",
                act=_undo(snapshot_id, restores.seen),
            )
        )


def _undo(snapshot_id: str, seen: int) -> Callable[[str], object]:
    def confirmed(phrase: str) -> object:
        here = current()
        return actions.undo_change(
            here.store,
            actor=here.actor,
            target=here.target,
            snapshot_id=snapshot_id,
            seen=seen,
            phrase=phrase,
            now=here.now,
        )

    return confirmed


def brought_back(restores: Results, snapshot_id: str, *, place: str) -> None:
    """The newest restore, where it is of this snapshot: its story, what it left, and what it could not do."""
    newest = restores.newest
    if newest is None or newest.payload.get("snapshot_id") != snapshot_id:
        return
    show_job(newest.id, key=f"{place}-{snapshot_id}", compact=True, live=False)
    found = newest.result or {}
    if newest.active or "rows_restored" not in found:
        return
    counted = {
        "put back": "rows_restored",
        "in place already": "rows_in_place",
        "merged with later writes": "rows_merged",
        "written since and left": "rows_kept",
        "of the change taken out": "rows_taken_out",
    }
    told = ", ".join(f"{found[key]} {words}" for words, key in counted.items() if found.get(key))
    if told:
        st.markdown(f":gray[Rows: {plain(told)}]")
    if again := found.get("recreated"):
        st.markdown(f":gray[Stands again: {plain(', '.join(again), limit=600)}]")
    for left in found.get("not_restored") or ():
        st.markdown(f":orange[:material/warning:] Differs still: {plain(left, limit=600)}")
    if kept := found.get("kept_snapshot_id"):
        st.markdown(f":gray[What lay in tables and columns that went is kept in snapshot {plain(kept)}]")
    conflicts(found.get("conflicts") or (), name=f"{place}-conflicts")


def conflicts(found: Sequence[Any], *, name: str) -> None:
    """Rows that could not be brought back as they were, mostly for what was written since: for a person to decide."""
    if not found:
        return
    told = [one if isinstance(one, Mapping) else {"table": "", "why": str(one)} for one in found]
    rows = sum(int(one.get("rows") or 0) for one in told)
    head = strong("Conflicts in 1 row" if rows == 1 else f"Conflicts in {rows} rows" if rows else "Conflicts")
    st.markdown(f":orange[:material/call_split:] {head}: what was written since is kept, here or in schema `ops`.")
    table(
        [{**one, "keys": ", ".join(map(str, one.get("keys") or ()))} for one in told],
        name=name,
        empty="No conflict.",
        columns={"table": "Table", "why": "Why", "rows": "Rows", "keys": "Keys, the first few"},
        config={"Why": st.column_config.TextColumn(width="large")},
    )

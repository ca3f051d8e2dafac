"""What deploys and rollbacks took away and the target still keeps: bring it back, or drop for good what is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.actions import action_button
from dashboard.components import times
from dashboard.components.confirm import Irreversible, open_confirmation
from dashboard.components.empty import nothing_now
from dashboard.components.plain import plain, strong
from dashboard.components.problem import problems_shown
from dashboard.components.progress import show_job
from dashboard.context import PageContext, current
from dashboard.panels.release_steps import enqueue_act, why_blocked
from dashboard.reads import kept_now
from dashboard.results import results_of
from services.releases.actions import purge_kept, purge_phrase


def kept_part(context: PageContext) -> None:
    """Closed by default; the list is read from the target when it is opened."""
    with st.expander("What is kept of what changes took away", key="kept", on_change="rerun") as box:
        if not box.open:
            return
        with problems_shown():
            found = kept_now(context)
            if not found:
                nothing_now("Nothing is kept here.")
                return
            for one in found:
                _line(context, one)
            _purge(context, found)


def _line(context: PageContext, one: Mapping[str, Any]) -> None:
    restores = results_of(context, "restore", run=False)
    until = datetime.fromisoformat(one["until"]) if one.get("until") else None
    due = until is not None and until <= context.now
    kept = f"until {times.exact(until, now=context.now)}" if until else "until all that is ours is removed"
    parked = f", of them parked: {', '.join(one['parked'])}" if one.get("parked") else ""
    back = one.get("restored_at")
    again = f", brought back {times.age(datetime.fromisoformat(back), context.now)}" if back else ""
    told = f"{', '.join(one['tables'])}{parked}; {'due' if due else kept}{again}"
    left, right = st.columns([10, 2], vertical_alignment="center")
    with left:
        taken = times.age(datetime.fromisoformat(one["taken_at"]), context.now)
        head = f"{one['rows']} rows of {one['release_id']}"
        st.markdown(
            f"{strong(head)} :small[:gray[{plain(taken)} by {plain(one['actor'])}]]  \n{plain(told, limit=900)}"
        )
    with right:
        action_button(
            "Bring back",
            enqueue_act("restore", {"snapshot_id": one["id"]}, restores.seen, of_run=False),
            key=f"kept-{one['id']}-{restores.seen}",
            icon="settings_backup_restore",
            blocked=why_blocked(context, "restore", None, None) or ("It is running." if restores.running else None),
        )
    newest = restores.newest
    if newest is not None and newest.payload.get("snapshot_id") == one["id"]:
        show_job(newest.id, key=f"kept-{one['id']}", compact=True, live=False)


def _purge(context: PageContext, found: Sequence[Mapping[str, Any]]) -> None:
    due = [one for one in found if one.get("until") and datetime.fromisoformat(one["until"]) <= context.now]
    purges = results_of(context, "purge_kept", run=False)
    blocked = why_blocked(context, "purge_kept", None, None) or (None if due else "Nothing is due yet.")
    if st.button(
        "Drop what is due for good …",
        key="open-purge",
        icon=":material/auto_delete:",
        disabled=blocked is not None,
        help=blocked,
    ):
        rows = sum(int(one["rows"]) for one in due)
        open_confirmation(
            Irreversible(
                key="purge",
                title=f"Purge what is kept on {context.target.name}",
                effect="Drop it for good",
                phrase=purge_phrase(context.target.name),
                what=f"{rows} rows of {len(due)} snapshots were kept as long as they were to be, and go for good.",
                keeps="What is not due yet stays.",
                act=_confirmed(purges.seen),
            )
        )
    if purges.newest is not None:
        show_job(purges.newest.id, key="purge", compact=True, live=False)


def _confirmed(seen: int) -> Any:
    def act(phrase: str) -> object:
        here = current()
        return purge_kept(here.store, actor=here.actor, target=here.target, seen=seen, phrase=phrase, now=here.now)

    return act

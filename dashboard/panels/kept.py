"""What deploys and rollbacks took away and the target still keeps: bring it back, or drop for good what is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.components import times
from dashboard.components.confirm import Irreversible, open_confirmation
from dashboard.components.empty import nothing_now
from dashboard.components.plain import plain, strong
from dashboard.components.problem import problems_shown
from dashboard.components.progress import show_job
from dashboard.context import PageContext, current
from dashboard.panels.bringing_back import bring_back_buttons, brought_back
from dashboard.panels.release_steps import why_blocked
from dashboard.reads import kept_now
from dashboard.results import results_of
from services.jobs.queue import recent_jobs
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
            jobs = recent_jobs(context.store, context.target.name, limit=1000)
            names = {job.actor.id: job.actor.name for job in jobs}
            for one in found:
                _line(context, one, names.get(str(one["actor"]), str(one["actor"])))
            _purge(context, found)


def _line(context: PageContext, one: Mapping[str, Any], who: str) -> None:
    restores = results_of(context, "restore", run=False)
    until = datetime.fromisoformat(one["until"]) if one.get("until") else None
    due = until is not None and until <= context.now
    kept = f"until {times.exact(until, now=context.now)}" if until else "until all that is ours is removed"
    parked = f", of them parked: {', '.join(one['parked'])}" if one.get("parked") else ""
    back = one.get("restored_at")
    again = f", brought back {times.age(datetime.fromisoformat(back), context.now)}" if back else ""
    told = f"{', '.join(one['tables'])}{parked}; {'due' if due else kept}{again}"
    taken = times.age_at(datetime.fromisoformat(one["taken_at"]), context.now)
    head = f"{one['rows']} rows of {one['release_id']}"
    with st.container(border=True):
        st.markdown(f"{strong(head)} :small[:gray[{plain(taken)} by {plain(who)}]]  \n{plain(told, limit=900)}")
        bring_back_buttons(context, str(one["id"]), restores, place="kept")
        brought_back(restores, str(one["id"]), place="kept")


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

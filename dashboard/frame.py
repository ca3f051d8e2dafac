"""What stands on every page: the target's word and colour, the run, the age of what is shown, who is signed in."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from dashboard.components import badges, times
from dashboard.components.plain import plain
from dashboard.components.problem import problems_shown
from dashboard.context import PageContext, current
from services.access.notices import current_notices
from services.jobs.liveness import worker_is_alive
from services.jobs.queue import Job, active_job
from services.releases.ledger import get_run

HEARTBEAT_KEY = "ops-heartbeat"
"""The class of this container is what the browser's staleness clock looks at (edge/assets/stale.js)."""
BEAT_S = 2


def draw(context: PageContext, title: str) -> None:
    """Draw the frame; the page follows below it."""
    _live_line()
    with st.sidebar:
        st.link_button(
            "Sign out", f"/auth/sign-out?target={quote(context.target.name)}", type="tertiary", icon=":material/logout:"
        )
    st.title(title, anchor=False)


@st.fragment(run_every=BEAT_S)
def _live_line() -> None:
    """Rewritten every two seconds from the store; if that cannot be read, the beat stays away and the page is stale."""
    with problems_shown():
        context = current()
        alive = worker_is_alive(context.store, context.now)
        job = active_job(context.store, context.target.name)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badges.target_badge(context.target)
            _run_line(context)
            _person(context)
            st.markdown(f":small[as of {times.exact(context.now, now=context.now)}]", width="content")
            with st.container(key=HEARTBEAT_KEY, width="content"):
                st.text(context.now.isoformat())
            # What comes and goes stands last, so that nothing else moves when it does.
            if not alive:
                badges.state_badge("no worker", help_text="No worker has given a sign of life for some seconds.")
            if job is not None:
                _job_note(context, job)
        for notice in current_notices(context.store, context.target.name, context.now):
            st.warning(plain(notice.text), icon=":material/campaign:")


def _run_line(context: PageContext) -> None:
    if context.run_id is None:
        st.markdown(":small[No run yet]", width="content")
        return
    run = get_run(context.store, context.run_id)
    st.markdown(
        f":small[{plain(run.release_id)} · run started {times.age(run.started, context.now)}]",
        width="content",
        help=f"{plain(run.id)}, started by {plain(run.started_by)} at {plain(times.exact(run.started))}, "
        f"pinned to content {plain(run.content_hash[:12])}",
    )


def _job_note(context: PageContext, job: Job) -> None:
    since = job.started or job.created
    badges.state_badge(
        str(job.state),
        note=f"{job.title}, {times.span((context.now - since).total_seconds())}",
        help_text=f"Asked for by {plain(job.actor.name)}. It changes {plain(context.target.name)}; others wait for it.",
    )


def _person(context: PageContext) -> None:
    role = context.actor.role.value
    who = context.actor.name if context.actor.name.lower() == role else f"{context.actor.name} · {role}"
    who += {"recovery": " · by recovery code", "founder": " · as founder"}.get(context.actor.way, "")
    st.markdown(f":small[:material/person: {plain(who)}]", width="content")

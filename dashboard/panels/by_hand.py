"""A deploy without our holding a key: the script to run in an editor, and the button that looks whether it was."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import streamlit as st

from dashboard.actions import Act, action_button
from dashboard.components import times
from dashboard.components.plain import plain
from dashboard.components.progress import show_job
from dashboard.context import PageContext
from dashboard.panels.release_steps import why_blocked
from dashboard.results import results_of
from services.access.permissions import Permission
from services.database.by_hand.editor_script import EDITOR_S, EditorScript, whole_time
from services.jobs.by_hand import scripts_by_hand
from services.releases.actions import look_for_deploy
from services.releases.run import RunView, StepView

WRITTEN = "by-hand-scripts"


def by_hand_part(context: PageContext, view: RunView, step: StepView, stall_ms: float | None = None) -> None:
    """Closed by default: most deploys are ours. stall_ms: how long writers may wait, as it was accepted above."""
    found = results_of(context, "find_deploy")
    with st.expander("Deploy by hand, without giving us a key", key="by-hand", expanded=found.running is not None):
        st.caption(
            "SQL for Supabase's SQL Editor: it stops unless the catalog is the rehearsed one, verifies before COMMIT, "
            "leaves a receipt with the way back, and keeps no copy of rows: ours does. Statements that refuse a "
            "transaction stand in files of their own; each other file stops unless those before it were run. The "
            f"Editor gives up after about {EDITOR_S} s. This step passes when our reading connection sees the receipt "
            "and the rehearsed catalog."
        )
        blocked = None
        if not context.actor.may(Permission.DEPLOY):
            blocked = f"You are {context.actor.role.value}: your role may not {Permission.DEPLOY.value}."
        loss = st.checkbox(
            "Also where rows are destroyed or changed, of which the script keeps no copy", key="by-hand-loss"
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            act = _write(view, loss=loss, stall_ms=stall_ms)
            action_button("Write the script", act, key="by-hand-write", icon="edit", blocked=blocked)
            action_button(
                "Look whether it was run",
                _look(view, step),
                key=f"by-hand-look-{found.seen}",
                icon="search",
                blocked=why_blocked(context, "find_deploy", view, step),
            )
        written = st.session_state.get(WRITTEN)
        if isinstance(written, tuple) and written[0] == (view.run.id, view.release.content_hash):
            st.caption(f"Written {times.age_at(written[2], context.now)}.")
            _files(written[1])
        if found.newest is not None:
            show_job(found.newest.id, key="find-deploy", compact=True, live=False)


def _write(view: RunView, *, loss: bool, stall_ms: float | None) -> Act:
    def act(context: PageContext) -> object:
        st.session_state[WRITTEN] = (
            (view.run.id, view.release.content_hash),
            scripts_by_hand(
                context.store,
                actor=context.actor,
                target=context.target,
                release=view.release,
                now=context.now,
                accept_loss=loss,
                accept_stall_ms=stall_ms,
            ),
            context.now,
        )
        return None

    return act


def _look(view: RunView, step: StepView) -> Act:
    def act(context: PageContext) -> object:
        return look_for_deploy(
            context.store,
            actor=context.actor,
            target=context.target,
            run_id=view.run.id,
            step_id=step.id,
            seen=step.jobs,
            now=context.now,
        )

    return act


def _files(files: Sequence[EditorScript]) -> None:
    st.caption(plain(f"{whole_time(files)} {files[0].way_back}", limit=600))
    if len(files) == 1:
        one = files[0]
        st.download_button(f"Take {one.name}", one.sql, file_name=one.name, mime="application/sql", key="by-hand-file")
        st.code(one.sql, language="sql", height=320)
        return
    st.markdown(plain(f"{len(files)} files, to be run one after the other: some statements refuse a transaction."))
    st.download_button(
        "Take them all", _zip(files), file_name="deploy-by-hand.zip", mime="application/zip", key="by-hand-file"
    )
    for one in files:
        with st.expander(one.name, key=f"by-hand-{one.name}"):
            st.code(one.sql, language="sql", height=320)


def _zip(files: Sequence[EditorScript]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in files:
            archive.writestr(one.name, one.sql)
    return packed.getvalue()

"""The incident of the war room: who leads, what happened when, and how it ended."""

from __future__ import annotations

import secrets

import streamlit as st

from dashboard.actions import action_button
from dashboard.components import times
from dashboard.components.plain import plain, strong
from dashboard.components.tables import table
from dashboard.context import PageContext
from services.access.permissions import Permission
from services.incidents.timeline import (
    Incident,
    close_incident,
    incident,
    note,
    open_incident,
    open_on,
    take_command,
    timeline,
)


def incident_panel(context: PageContext) -> None:
    """The incident in the address, else the one that is open; and the way to open one."""
    named = st.query_params.get("incident")
    shown = incident(context.store, named) if named else open_on(context.store, context.target.name)
    if shown is None:
        _open(context)
        return
    st.query_params["incident"] = shown.id
    state = f"closed {times.age(shown.closed, context.now)}" if shown.closed else f"open for {_since(shown, context)}"
    st.markdown(
        f":red[:material/crisis_alert:] {strong(shown.title)} "
        f":small[:gray[{plain(state)} · led by {plain(shown.commander)} · {plain(shown.id)}]]"
    )
    if shown.closed is None and context.actor.may(Permission.COMMAND_INCIDENT):
        _handles(context, shown)
    moments = timeline(context.store, shown.id)
    table(
        [
            {
                "at": times.exact(moment.at, now=context.now),
                "who": moment.actor,
                "kind": moment.kind,
                "text": moment.text,
            }
            for moment in reversed(moments)
        ],
        name="timeline",
        empty="Nothing has happened yet.",
        columns={"at": "When", "who": "Who", "kind": "What", "text": "Text"},
        config={"Text": st.column_config.TextColumn(width="large")},
    )


def _since(shown: Incident, context: PageContext) -> str:
    return times.span((context.now - shown.opened).total_seconds())


def _open(context: PageContext) -> None:
    st.caption("No incident is open.")
    if not context.actor.may(Permission.COMMAND_INCIDENT):
        return
    key = st.session_state.setdefault("draft-incident-key", secrets.token_hex(8))
    title = st.text_input("What is wrong, in a few words", key="draft-incident-title", max_chars=200)

    def act(here: PageContext) -> None:
        opened = open_incident(
            here.store,
            actor=here.actor,
            target=here.target.name,
            title=title,
            now=here.now,
            idempotency_key=key,
        )
        st.session_state.pop("draft-incident-key", None)
        st.query_params["incident"] = opened.id

    action_button("Open an incident", act, key="open-incident", icon="crisis_alert")


def _handles(context: PageContext, shown: Incident) -> None:
    text = st.text_input("Note", key=f"draft-note-{shown.id}", placeholder="What you see or do", max_chars=500)
    with st.container(horizontal=True):
        action_button(
            "Write it down",
            lambda here: note(here.store, actor=here.actor, incident_id=shown.id, text=text, now=here.now),
            key=f"note-{shown.id}",
            icon="edit_note",
        )
        action_button(
            "Close with this text",
            lambda here: close_incident(here.store, actor=here.actor, incident_id=shown.id, text=text, now=here.now),
            key=f"close-{shown.id}",
            icon="check",
        )
        if shown.commander != context.actor.name:
            action_button(
                "Take the lead",
                lambda here: take_command(here.store, actor=here.actor, incident_id=shown.id, now=here.now),
                key=f"lead-{shown.id}",
                icon="person_raised_hand",
            )

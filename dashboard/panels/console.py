"""The read-only console: one question at a time, its rows, what was asked before, and a way into the release."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.actions import action_button
from dashboard.components import times
from dashboard.components.empty import not_yet
from dashboard.components.plain import plain, strong
from dashboard.components.problem import problems_shown
from dashboard.components.tables import csv_button
from dashboard.context import PageContext, current
from dashboard.runs import app_of, release_of
from services.access.permissions import Permission
from services.console.asking import Reply, address_of
from services.console.history import Asked, ask_and_note, asked_before
from services.console.saving import file_name, query_text, save_query
from services.errors import OpsError

DRAFT, ANSWER = "console-draft", "console-answer"
_LOOK = {"answered": ":green[:material/check:]", "unknown": ":yellow[:material/help:]"}
_FAILED = ":red[:material/close:]"


def console_part(context: PageContext) -> None:
    """Off, with a sentence, where the target has no address for it."""
    try:
        address_of(context.target)
    except OpsError as error:
        not_yet(error.what, error.do)
        return
    st.caption(
        "One SELECT, asked as a role that can only read, inside a read-only transaction. What people wrote is masked; "
        "functions that may do more than read are refused."
    )
    st.text_area(
        "Question",
        key=DRAFT,
        height=140,
        placeholder="SELECT tier, count(*) FROM users GROUP BY tier",
        label_visibility="collapsed",
    )
    action_button("Ask", _ask, key="console-ask", icon="play_arrow", primary=True, shortcut="Ctrl+Enter")
    answer = st.session_state.get(ANSWER)
    if isinstance(answer, tuple) and answer[0] == context.target.name:
        _, reply, asked_id, text, asked = answer
        _reply(reply, f"in {times.duration_ms(reply.took_ms)}, asked at {times.exact(asked, now=context.now)}")
        with st.expander("Keep it as a verification query of the release", key="console-save"):
            _save(context, text, asked_id)
    _history(context)


def _ask(context: PageContext) -> None:
    st.session_state.pop(ANSWER, None)
    text = str(st.session_state.get(DRAFT, ""))
    reply, asked_id = ask_and_note(
        context.store,
        actor=context.actor,
        target=context.target,
        app=app_of(context),
        text=text,
        now=context.now,
    )
    st.session_state[ANSWER] = (context.target.name, reply, asked_id, text, context.now)


def _reply(reply: Reply, aside: str) -> None:
    count = "no row" if not reply.rows else f"{len(reply.rows)} row{'' if len(reply.rows) == 1 else 's'}"
    st.markdown(f"{strong(count)} :small[:gray[{plain(aside)}]]")
    if reply.more:
        st.caption(plain(reply.more))
    if reply.masked:
        columns = plain(", ".join(reply.masked), limit=900)
        st.caption(
            f":material/visibility_off: Masked: {columns}. JSON is masked only where one of its keys is private."
        )
    if not reply.rows:
        return
    # Two columns may bear one name, which a table cannot.
    names = [name if reply.columns.index(name) == at else f"{name} ({at + 1})" for at, name in enumerate(reply.columns)]
    rows = [dict(zip(names, row, strict=True)) for row in reply.rows]
    st.dataframe(
        {name: [row[name] for row in rows] for name in names}, hide_index=True, alt="What came back", key="console-rows"
    )
    csv_button(rows, name="console")


def _save(context: PageContext, text: str, asked_id: str) -> None:
    release = release_of(context)
    st.caption(f"No row means healthy. {release.id} has another content afterwards, and is rehearsed again.")
    name = st.text_input("Name", key="console-name", placeholder="premium_kept")
    proves = st.text_input("What an empty answer proves", key="console-proves", placeholder="Nobody lost premium.")
    blocked = None
    if not context.actor.may(Permission.REHEARSE):
        blocked = f"You are {context.actor.role.value}: your role may not {Permission.REHEARSE.value}."
    with st.container(horizontal=True, vertical_alignment="center"):
        action_button(
            "Save into the release",
            _saver(text, asked_id),
            key="console-save-query",
            icon="save",
            done="It is a verification query of the release now.",
            blocked=blocked,
        )
        if name and proves:
            with problems_shown():
                st.download_button(
                    "Take it as a file",
                    query_text(text, proves),
                    file_name=file_name(release, name),
                    mime="application/sql",
                    key="console-file",
                    icon=":material/download:",
                )


def _saver(text: str, asked_id: str) -> Callable[[PageContext], object]:
    def save(context: PageContext) -> object:
        return save_query(
            context.store,
            release_of(context),
            actor=context.actor,
            target=context.target.name,
            name=str(st.session_state.get("console-name", "")).strip(),
            text=text,
            proves=str(st.session_state.get("console-proves", "")),
            now=context.now,
            asked_id=asked_id,
        )

    return save


def _history(context: PageContext) -> None:
    asked = asked_before(context.store, context.actor, context.target.name)
    if not asked:
        return
    st.markdown(strong("What you asked before"))
    for one in asked:
        left, right = st.columns([12, 1], vertical_alignment="center")
        with left:
            st.markdown(_line(one, context))
        with right:
            st.button(
                "Use again",
                key=f"again-{one.id}",
                icon=":material/replay:",
                type="tertiary",
                help="Put it into the field above.",
                on_click=_use_again,
                args=(one.sql,),
            )


def _line(one: Asked, context: PageContext) -> str:
    sql = " ".join(one.sql.split())
    rows = "" if one.rows is None else f" · {one.rows} row{'' if one.rows == 1 else 's'}"
    saved = f" · saved as {one.saved_as}" if one.saved_as else ""
    told = f"{one.outcome}{rows} · {times.age(one.at, context.now)}{saved}"
    return f"{_LOOK.get(one.outcome, _FAILED)} `{sql[:110].replace('`', chr(39))}` :small[:gray[{plain(told)}]]"


def _use_again(sql: str) -> None:
    st.session_state[DRAFT] = sql


def open_console() -> None:
    """The part as the page draws it: not refreshed by itself, since somebody types in it."""
    with problems_shown():
        console_part(current())

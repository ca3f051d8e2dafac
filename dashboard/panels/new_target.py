"""The targets there are, each with its sign-in, and the form that makes a new one, which may do nothing but look."""

from __future__ import annotations

import streamlit as st

from dashboard.actions import run_and_keep, show_kept
from dashboard.components.badges import target_badge, target_colour
from dashboard.components.plain import plain
from dashboard.context import PageContext
from dashboard.edge.sign_in.access import sign_in_address
from services.access.permissions import Permission
from services.connecting.grants import create_target
from services.settings import Level, Target

FORM = "new-target"
_CREATED = "draft-created-target"


def targets_part(context: PageContext) -> None:
    """All targets; each has its own sign-in. Then the way to a new one."""
    for name, target in sorted(context.settings.targets.items()):
        _card(context, target, shown=name == context.target.name)
    _created(context)
    box = st.expander("Connect a target", key="connect-a-target", icon=":material/add_link:", on_change="rerun")
    if box.open:
        with box:
            _form(context)


def _card(context: PageContext, target: Target, *, shown: bool) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        target_badge(target)
        granted = ", ".join(level.value for level in Level if target.allows(level))
        place = f" · {target.app_url}" if target.app_url else ""
        st.markdown(f":small[{plain(target.app + place)} · {plain(granted or 'nothing granted')}]", width="stretch")
        if shown:
            st.badge("shown", icon=":material/visibility:", color=target_colour(target))
        else:
            st.link_button("Open", f"/settings?target={target.name}", icon=":material/open_in_new:")


def _created(context: PageContext) -> None:
    """The way on, once: a target has a sign-in of its own, and whoever made it is let in there."""
    name = st.session_state.get(_CREATED)
    if name is None or name not in context.settings.targets or name == context.target.name:
        return
    st.success(
        f"**{plain(name)} is there, and may do nothing but look.** Go on there: you are its admin until it has a "
        "sign-in of its own.",
        icon=":material/check:",
    )
    after = f"/settings?target={name}&level={Level.LOOK}"
    st.link_button(
        f"Go to {plain(name)}", sign_in_address(name, after), type="primary", icon=":material/arrow_forward:"
    )


def _form(context: PageContext) -> None:
    may = context.actor.may(Permission.CONNECT)
    st.markdown("A new target is looked at and nothing else, until you grant it more, level by level.")
    with st.form(FORM, enter_to_submit=False):
        st.text_input("Name", key=f"{FORM}-name", placeholder="production", max_chars=40, autocomplete="off")
        st.text_input("Public address of the app", key=f"{FORM}-app_url", placeholder="https://…", autocomplete="off")
        st.toggle(
            "It is production: rows are never copied, and its owner's address is never kept",
            value=True,
            key=f"{FORM}-production",
        )
        st.form_submit_button(
            "Make this target",
            key=f"make-{FORM}",
            type="primary",
            icon=":material/add_link:",
            disabled=not may,
            help=None if may else f"You are {context.actor.role.value}: your role may not {Permission.CONNECT.value}.",
            on_click=_make,
        )
    show_kept(FORM)


def _make() -> None:
    typed = {name: st.session_state.get(f"{FORM}-{name}") for name in ("name", "app_url", "production")}
    name = str(typed["name"] or "").strip()

    def act(context: PageContext) -> None:
        values = {
            "app": context.target.app,
            "app_url": str(typed["app_url"] or "").strip(),
            "production": bool(typed["production"]),
        }
        create_target(context.store, context.settings, context.actor, name, values, context.now)
        st.session_state[_CREATED] = name

    run_and_keep(FORM, act)

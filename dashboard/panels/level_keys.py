"""The keys of a level as a form: what is there is said and never shown, an empty field keeps it, and nothing typed
stays in the session once it was handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.actions import run_and_keep, show_kept
from dashboard.components.plain import plain
from dashboard.context import PageContext
from dashboard.panels import reader_role
from dashboard.panels.probe_accounts import ACCOUNTS, CAPS, accounts_of, accounts_table, caps_of
from dashboard.panels.setup import credential_state
from services.access.permissions import Permission
from services.connecting.grants import keep_credentials
from services.connecting.guide import LevelGuide
from services.connecting.keys import ADDRESSES, KeyField, keys_of
from services.settings import Level, origin_of

READER = "database_url"
_OWN_ADDRESSES: Mapping[str, str] = {
    "railway_url": "Address of the Railway API",
    "supabase_management_url": "Address of the Supabase Management API",
    "openai_url": "Address of the OpenAI API",
}


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the form. key: the setting; part: which part of it, where it has several."""

    widget: str
    key: str
    part: tuple[str, ...] = ()


def keys_form(context: PageContext, level: Level, guide: LevelGuide) -> None:
    """Everything the level can be given. Whoever may not connect sees what is there and cannot change it."""
    own = own_addresses(level)
    if not guide.keys and not own:
        return
    name = f"keys-{context.target.name}-{level}"
    may = context.actor.may(Permission.CONNECT)
    inputs: list[Input] = []
    with st.form(name, clear_on_submit=True, enter_to_submit=False):
        if any(field.key == ACCOUNTS for field in guide.keys):
            fixed = {key: fixed_by(context, key) for key in (ACCOUNTS, CAPS)}
            inputs += [Input(*one) for one in accounts_table(context.target, name, may=may, fixed=fixed)]
        inputs += _fields(context, name, [one for one in guide.keys if one.key not in (ACCOUNTS, CAPS)], may)
        if own:
            with st.expander("Only for a service of your own in the provider's place", key=f"own-{name}"):
                inputs += _fields(context, name, own, may)
        st.form_submit_button(
            "Keep these",
            key=f"keep-{name}",
            icon=":material/save:",
            disabled=not may,
            help=None if may else f"You are {context.actor.role.value}: your role may not {Permission.CONNECT.value}.",
            on_click=_keep,
            args=(name, tuple(inputs)),
        )
        st.caption("An empty field keeps what is there. What you fill in goes into the target's own file, mode 0600.")
    show_kept(name)


def own_addresses(level: Level) -> list[KeyField]:
    """The addresses of the level's providers, for whoever runs a service of their own in their place."""
    return [
        KeyField(key, _OWN_ADDRESSES[key], False, "https://...; empty: the provider's own")
        for key in keys_of(level)
        if key in ADDRESSES
    ]


def fixed_by(context: PageContext, key: str) -> str | None:
    """The source that a value comes from where this page cannot change it: anything but the target's own file."""
    origin = origin_of(context.settings, context.target.name, key)
    return None if origin is None or origin.startswith("targets/") else origin


def _fields(context: PageContext, form: str, fields: Sequence[KeyField], may: bool) -> list[Input]:
    """The inputs, two beside each other where there is room, each pair in a row of its own."""
    inputs: list[Input] = []
    for first in range(0, len(fields), 2):
        for cell, field in zip(st.columns(len(fields[:2])), fields[first : first + 2], strict=False):
            with cell:
                inputs += _field(context, form, field, may)
    return inputs


def _field(context: PageContext, form: str, field: KeyField, may: bool) -> list[Input]:
    """One input with what is there as its placeholder; none where the value comes from elsewhere."""
    fixed = fixed_by(context, field.key)
    state = credential_state(getattr(context.target, field.key))
    widget = f"{form}-{field.key}"
    st.text_input(
        field.title if field.needed else f"{field.title} (optional)",
        key=widget,
        type="password" if field.secret else "default",
        placeholder=state,
        help=plain(field.hint, limit=1000),
        autocomplete="new-password" if field.secret else "off",
        disabled=not may or fixed is not None,
    )
    if fixed is None:
        return [Input(widget, field.key)]
    st.caption(f"It comes from {plain(fixed)}, which wins over this page: change it there.")
    return []


def _keep(form: str, inputs: tuple[Input, ...]) -> None:
    """Hand over what was typed, once; before anything else it is gone from the session."""
    typed = {one: _taken(one.widget) for one in inputs}

    def act(context: PageContext) -> None:
        values: dict[str, Any] = {one.key: text for one, text in typed.items() if not one.part and text}
        if READER in values:
            values[READER] = reader_role.filled_in(context.target.name, values[READER])
        values |= accounts_of(context.target, {one.part: text for one, text in typed.items() if one.key == ACCOUNTS})
        values |= caps_of(context.target, {one.part: text for one, text in typed.items() if one.key == CAPS})
        keep_credentials(context.store, context.settings, context.target, context.actor, values, context.now)
        if READER in values:
            reader_role.forget(context.target.name)

    run_and_keep(form, act, "Kept. Prove it now: nothing is granted by filling it in.")


def _taken(widget: str) -> Any:
    given = st.session_state.get(widget)
    if isinstance(given, str):
        st.session_state[widget] = ""
        return given.strip()
    return given

"""Settings: which credentials a target has and where they come from, whom to call, the links computed from ids."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st
from pydantic import SecretStr

from dashboard.components.empty import not_yet
from dashboard.components.plain import plain
from dashboard.components.tables import table
from dashboard.context import PageContext
from dashboard.runs import app_of
from services.settings import Target, origin_of

HIDDEN = frozenset({"name", "app", "production", "colour", "levels", "quick_sign_in", "people"})


def credential_state(value: object) -> str:
    """Whether a setting is there, and for a secret how long it is: never its value, not even a prefix."""
    if value is None or value in ((), {}):
        return "not set"
    if isinstance(value, SecretStr):
        return f"set, {len(value.get_secret_value())} characters"
    if isinstance(value, tuple | dict):
        return f"{len(value)} set"
    text = str(value)
    return urlsplit(text).netloc or text


def credentials_part(context: PageContext) -> None:
    """Every setting of the target: whether it is there, where it comes from, and the variable that would win."""
    target = context.target
    rows = [
        {
            "key": name,
            "state": credential_state(getattr(target, name)),
            "origin": origin_of(context.settings, target.name, name) or "",
            "variable": f"OPS_TARGETS__{target.name.upper()}__{name.upper()}",
        }
        for name in type(target).model_fields
        if name not in HIDDEN
    ]
    table(
        rows,
        name="credentials",
        empty="",
        columns={"key": "Setting", "state": "State", "origin": "Comes from", "variable": "Environment variable"},
        height=420,
    )


def people_part(target: Target) -> None:
    """Whom to call."""
    rows = [person.model_dump() for person in target.people]
    if not rows:
        not_yet(
            "Nobody is named for this target.", "Add [[targets.NAME.people]] to secrets.toml: who is called at night?"
        )
        return
    table(rows, name="people", empty="", columns={"name": "Name", "role": "Role", "phone": "Phone", "hours": "Hours"})


def links_part(context: PageContext) -> None:
    """The places outside, with this target's ids in their addresses."""
    links = app_of(context).links_for(context.target)
    st.markdown("\n".join(f"- [{plain(link.title)}]({link.url})" for link in links.values()))

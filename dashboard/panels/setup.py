"""Settings: what each target's credentials allow, which are set, whom to call, and the links computed from ids."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st
from pydantic import SecretStr

from dashboard.components.badges import inline_badge, target_badge, target_colour
from dashboard.components.empty import not_yet
from dashboard.components.plain import plain, strong
from dashboard.components.tables import table
from dashboard.context import PageContext
from dashboard.runs import app_of
from services.settings import LEVEL_MEANS, Level, Target

NEEDS: dict[Level, tuple[tuple[str, ...], ...]] = {
    Level.LOOK: (("app_url",),),
    Level.OBSERVE: (("database_url",), ("supabase_url", "supabase_anon_key"), ("railway_url", "railway_token")),
    Level.PLATFORM: (("railway_url", "railway_token", "railway_service_id"),),
    Level.PROBE: (("app_url",), ("supabase_url", "supabase_anon_key")),
    Level.DEPLOY: (("deploy_url",),),
}
"""What each level works with; each group serves one part of it, and a part without its group stays unknown."""

HIDDEN = frozenset({"name", "app", "production", "colour", "levels", "quick_sign_in", "people"})


def levels_part(target: Target) -> None:
    """The levels one by one: granted or not, what each allows, and what it still lacks."""
    for level in Level:
        granted = target.allows(level)
        missing = [" and ".join(group) for group in NEEDS[level] if any(getattr(target, key) is None for key in group)]
        shown = inline_badge(_grant(granted, missing))
        text = f"{strong(level.value)}: {plain(LEVEL_MEANS[level])}"
        lack = f" :small[:gray[not set: {plain('; '.join(missing))}]]" if missing else ""
        st.markdown(f"{shown} {text}{lack}")
    if not target.allows(Level.OBSERVE):
        st.caption(
            "A new target can be looked at and nothing else. Grant one level at a time, and prove it with doctor."
        )


def _grant(granted: bool, missing: list[str]) -> str:
    if not granted:
        return "not granted"
    return "in part" if missing else "granted"


def credential_state(value: object) -> str:
    """Whether a setting is there, and for a secret how long it is: never its value, not even a prefix."""
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return f"set, {len(value.get_secret_value())} characters"
    text = str(value)
    return urlsplit(text).netloc or text


def credentials_part(target: Target) -> None:
    """Every setting of the target."""
    rows = [
        {
            "key": name,
            "state": credential_state(getattr(target, name)),
            "where": f"OPS_TARGETS__{target.name.upper()}__{name.upper()}",
        }
        for name in type(target).model_fields
        if name not in HIDDEN
    ]
    table(
        rows,
        name="credentials",
        empty="",
        columns={"key": "Setting", "state": "State", "where": "Environment variable"},
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


def targets_part(context: PageContext) -> None:
    """All targets; each has its own sign-in."""
    for name, target in sorted(context.settings.targets.items()):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            target_badge(target)
            granted = ", ".join(level.value for level in Level if target.allows(level))
            st.markdown(f":small[{plain(target.app)} · {plain(granted or 'nothing granted')}]", width="stretch")
            if name == context.target.name:
                st.badge("shown", icon=":material/visibility:", color=target_colour(target))
            else:
                st.link_button("Open", f"/?target={name}", icon=":material/open_in_new:")

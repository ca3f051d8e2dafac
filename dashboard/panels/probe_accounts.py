"""The test accounts of a target in the form of its level: one row a purpose, with what it may spend in a day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.components.plain import plain
from services.settings import ProbeCap, Target

PURPOSES: Mapping[str, str] = {
    "probe": "Entries: written, found again, removed",
    "ai": "AI answers",
    "feedback": "Feedback",
    "rate-limit": "The rate limit",
    "admin": "The admin's numbers: an admin of the app",
}
ACCOUNTS, CAPS = "probe_accounts", "probe_caps"

Part = tuple[str, ...]


def accounts_table(
    target: Target, form: str, *, may: bool, fixed: Mapping[str, str | None]
) -> list[tuple[str, str, Part]]:
    """Draw a row a purpose. fixed: the source of accounts and caps where this page cannot change them.

    Returns (widget, setting, (purpose, part)) of every input that can be changed.
    """
    known = {one.purpose: one for one in target.probe_accounts}
    inputs: list[tuple[str, str, Part]] = []
    for purpose, what in PURPOSES.items():
        account, cap = known.get(purpose), target.probe_caps.get(purpose, ProbeCap())
        st.markdown(f"Test account **{plain(purpose)}** :small[:gray[{plain(what)}]]")
        who, password, calls, cents = st.columns([4, 3, 2, 2])
        names = {part: f"{form}-{purpose}-{part}" for part in ("email", "password", "calls", "cents")}
        who.text_input(
            "E-mail",
            key=names["email"],
            placeholder="set" if account else "not set",
            autocomplete="off",
            disabled=not may or fixed[ACCOUNTS] is not None,
        )
        password.text_input(
            "Password",
            key=names["password"],
            type="password",
            placeholder=f"set, {len(account.password.get_secret_value())} characters" if account else "not set",
            autocomplete="new-password",
            disabled=not may or fixed[ACCOUNTS] is not None,
        )
        locked = not may or fixed[CAPS] is not None
        calls.number_input("Calls a day", 0, value=cap.calls, key=names["calls"], disabled=locked)
        cents.number_input("Cents a day", 0.0, value=cap.cents, key=names["cents"], disabled=locked)
        if fixed[ACCOUNTS] is None:
            inputs += [(names[part], ACCOUNTS, (purpose, part)) for part in ("email", "password")]
        if fixed[CAPS] is None:
            inputs += [(names[part], CAPS, (purpose, part)) for part in ("calls", "cents")]
    for key, source in fixed.items():
        if source is not None:
            st.caption(f"{plain(key)} comes from {plain(source)}, which wins over this page: change it there.")
    return inputs


def accounts_of(target: Target, typed: Mapping[Part, Any]) -> dict[str, Any]:
    """The accounts as they are to be kept, all of them, since they are one setting; {} for no change.

    What was filled in replaces what is there, part by part: an empty password keeps the one that was given before.
    """
    given = {place: text for place, text in typed.items() if text}
    if not given:
        return {}
    kept = {
        one.purpose: {"purpose": one.purpose, "email": one.email, "password": one.password.get_secret_value()}
        for one in target.probe_accounts
    }
    for (purpose, part), text in given.items():
        kept.setdefault(purpose, {"purpose": purpose})[part] = text
    return {ACCOUNTS: list(kept.values())}


def caps_of(target: Target, typed: Mapping[Part, Any]) -> dict[str, Any]:
    """The caps as they are to be kept; {} where they are as they were, or nothing differs from the default."""
    wanted = {
        purpose: ProbeCap(calls=int(typed[purpose, "calls"]), cents=float(typed[purpose, "cents"]))
        for purpose in PURPOSES
        if (purpose, "calls") in typed
    }
    was = {purpose: target.probe_caps.get(purpose, ProbeCap()) for purpose in wanted}
    if wanted == was:
        return {}
    return {CAPS: {purpose: cap.model_dump() for purpose, cap in {**target.probe_caps, **wanted}.items()}}

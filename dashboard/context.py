"""What a page is about: target, run, actor and time, from the address and the cookie; asked anew at every run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit

import streamlit as st

from dashboard import composition
from dashboard.edge.cookies import session_token
from dashboard.edge.sign_in.access import sign_in_address
from services.access.permissions import Actor
from services.access.sessions import actor_on
from services.errors import Refused
from services.releases.ledger import get_run, latest_run
from services.settings import Settings, Target
from services.store.database import Store


class SignedOut(Refused):
    """The session has ended, or was never opened, on this target."""

    def __init__(self, target: str, address: str) -> None:
        super().__init__(
            f"You are not signed in to {target}, or your session has ended.",
            "Nothing was done, and jobs that run go on.",
            "Sign in again; you come back to this page.",
        )
        self.address = address


@dataclass(frozen=True, slots=True)
class PageContext:
    """settings, store, who looks, the target, the time of this script run, and the release's run."""

    settings: Settings
    store: Store
    actor: Actor
    target: Target
    now: datetime
    run_id: str | None

    def address(self, path: str, **parameters: str) -> str:
        """The address of a view of this target (and this run, where there is one)."""
        query = {"target": self.target.name, **({"run": self.run_id} if self.run_id else {}), **parameters}
        return path + "?" + "&".join(f"{key}={quote(value)}" for key, value in query.items())

    def query(self, **parameters: str) -> dict[str, str]:
        """The query parameters of a view of this target, for st.page_link and st.switch_page."""
        return {"target": self.target.name, **({"run": self.run_id} if self.run_id else {}), **parameters}


def current() -> PageContext:
    """The context of this run of the script. The run is the one in the address, else the newest of the target.

    Raises SignedOut where the session does not hold, NotUnderstood for an unknown target, Unavailable without a store.
    """
    settings = composition.settings()
    target = settings.target(_carried("target"))
    store = composition.store()
    now = store.now()
    actor = actor_on(store, settings, target.name, session_token(cookies(), target.name), now)
    if actor is None:
        raise SignedOut(target.name, sign_in_address(target.name, _this_view(target.name)))
    return PageContext(settings, store, actor, target, now, _run_id(store, target.name))


def _this_view(target: str) -> str:
    """The path and query of what is open now, to come back to."""
    query = {**st.query_params.to_dict(), "target": target}
    return (urlsplit(st.context.url or "").path or "/") + "?" + urlencode(query)


def cookies() -> Mapping[str, str]:
    """The cookies the browser sent when it opened this page."""
    return st.context.cookies


def carry(context: PageContext) -> None:
    """Write target and run into the address: Streamlit's menu drops them, and the address alone must be the view."""
    for name, value in (("target", context.target.name), ("run", context.run_id)):
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value


def choose_run(context: PageContext, run_id: str) -> None:
    """Make `run_id` the run of this view and of the pages visited next."""
    st.query_params["run"] = run_id
    st.session_state[f"carried_run_{context.target.name}"] = run_id


def _run_id(store: Store, target: str) -> str | None:
    named = _carried("run", target)
    if named is not None and get_run(store, named).target == target:
        return named
    newest = latest_run(store, target)
    return newest.id if newest else None


def _carried(name: str, scope: str = "") -> str | None:
    """A query parameter, or what it was on the page before."""
    key = f"carried_{name}_{scope}"
    value = st.query_params.get(name)
    if value:
        st.session_state[key] = value
        return value
    kept: str | None = st.session_state.get(key)
    return kept

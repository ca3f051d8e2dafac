"""The founder of a target: its admin until people can prove who they are on it, by a session they have elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from services.access.permissions import Actor, Role
from services.access.sessions import open_session
from services.access.ways import founder_may_sign_in
from services.errors import Refused
from services.settings import Settings, Target
from services.store.database import Store

_PROVES_NOTHING = frozenset({"founder", "recovery"})
"""Ways whose sessions make nobody a founder elsewhere: else they could be handed on from target to target for ever."""

ActorOn = Callable[[str], Actor | None]
"""Who is signed in to a target by the cookies of this browser."""


def founder_here(settings: Settings, target: Target, actor_on: ActorOn) -> Actor | None:
    """The founder of `target`, where this browser holds a living session of theirs on another target."""
    if not founder_may_sign_in(settings, target):
        return None
    for name in sorted(settings.targets):
        actor = actor_on(name) if name != target.name else None
        if actor is not None and actor.id == target.founder and actor.way not in _PROVES_NOTHING:
            return actor
    return None


def sign_in_founder(store: Store, settings: Settings, target: Target, actor_on: ActorOn, now: datetime) -> str:
    """Open the founder's session as admin of `target` and return its token.

    Raises Refused where the target has a sign-in of its own, or this browser holds no session of its founder.
    """
    founder = founder_here(settings, target, actor_on)
    if founder is None:
        closed = not founder_may_sign_in(settings, target)
        raise Refused(
            f"{target.name} has a sign-in of its own, or nobody is its founder."
            if closed
            else f"This browser holds no session of whoever made {target.name}.",
            "Nobody was signed in.",
            "Sign in here." if closed else "Sign in to the target from which it was made, then come back.",
        )
    here = Actor(founder.id, founder.name, Role.ADMIN, target.name, way="founder")
    return open_session(store, here, now)

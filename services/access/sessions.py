"""Sessions: an opaque token in the browser, its hash and the actor in the store."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from services.access.permissions import Actor
from services.access.ways import founder_may_sign_in
from services.settings import Settings
from services.store import audit
from services.store.database import Store
from services.store.tables import sessions

LIFETIME = timedelta(hours=12)
"""From sign-in to the end, whatever is done meanwhile: no session is renewed."""


def open_session(store: Store, actor: Actor, now: datetime, *, lifetime: timedelta = LIFETIME) -> str:
    """Open a session and return its token, which is kept nowhere but in the browser."""
    with store.write() as tx:
        return begin_session(tx, actor, now, lifetime=lifetime)


def begin_session(tx: Connection, actor: Actor, now: datetime, *, lifetime: timedelta = LIFETIME) -> str:
    """As open_session, in the transaction of what gives the right to it."""
    token = secrets.token_urlsafe(32)
    tx.execute(
        insert(sessions).values(
            token_hash=_hash(token), actor=actor.to_json(), opened=now, expires=now + lifetime, closed=None
        )
    )
    detail = {"way": actor.way} if actor.way else {}
    audit.record(
        tx, actor=actor.id, action="sign-in", target=actor.target, subject=actor.role.value, now=now, detail=detail
    )
    return token


def session_actor(store: Store, token: str | None, now: datetime) -> Actor | None:
    """The actor of a token; None where it is unknown, closed or past its end."""
    if not token:
        return None
    with store.read() as tx:
        row = tx.execute(select(sessions).where(sessions.c.token_hash == _hash(token))).one_or_none()
    if row is None or row.closed is not None or row.expires <= now:
        return None
    return Actor.from_json(row.actor)


def actor_on(store: Store, settings: Settings, target: str, token: str | None, now: datetime) -> Actor | None:
    """Who is signed in to `target` by this token, by the settings of now.

    A founder's session counts only while the target has no sign-in of its own: it ends with the next request after
    one is configured.
    """
    actor = session_actor(store, token, now)
    if actor is None or actor.target != target:
        return None
    if actor.way == "founder" and not _still_founder(settings, actor):
        return None
    return actor


def _still_founder(settings: Settings, actor: Actor) -> bool:
    place = settings.targets.get(actor.target)
    return place is not None and place.founder == actor.id and founder_may_sign_in(settings, place)


def close_session(store: Store, token: str, now: datetime) -> None:
    """Close a session; closing an unknown or closed one changes nothing."""
    with store.write() as tx:
        row = tx.execute(
            select(sessions.c.actor).where(sessions.c.token_hash == _hash(token), sessions.c.closed.is_(None))
        ).one_or_none()
        if row is None:
            return
        tx.execute(update(sessions).where(sessions.c.token_hash == _hash(token)).values(closed=now))
        actor = Actor.from_json(row.actor)
        audit.record(tx, actor=actor.id, action="sign-out", target=actor.target, subject=actor.role.value, now=now)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""Sessions: an opaque token in the browser, its hash and the actor in the store."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from services.access.permissions import Actor
from services.store import audit
from services.store.database import Store
from services.store.tables import sessions

LIFETIME = timedelta(hours=12)


def open_session(store: Store, actor: Actor, now: datetime) -> str:
    """Open a session and return its token, which is kept nowhere but in the browser."""
    token = secrets.token_urlsafe(32)
    with store.write() as tx:
        tx.execute(
            insert(sessions).values(
                token_hash=_hash(token), actor=actor.to_json(), opened=now, expires=now + LIFETIME, closed=None
            )
        )
        audit.record(tx, actor=actor.id, action="sign-in", target=actor.target, subject=actor.role.value, now=now)
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

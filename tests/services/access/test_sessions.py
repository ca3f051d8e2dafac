"""Sessions: opaque, hashed at rest, ended by time or by signing out."""

from __future__ import annotations

from sqlalchemy import select

from services.access.permissions import Actor
from services.access.sessions import LIFETIME, close_session, open_session, session_actor
from services.store import audit
from services.store.database import Store
from services.store.tables import sessions
from tests.services.conftest import NOON


def test_a_session_knows_its_actor(store: Store, operator: Actor) -> None:
    token = open_session(store, operator, NOON)
    assert session_actor(store, token, NOON) == operator


def test_a_session_ends_by_time(store: Store, operator: Actor) -> None:
    token = open_session(store, operator, NOON)
    assert session_actor(store, token, NOON + LIFETIME) is None


def test_a_session_ends_by_signing_out_once(store: Store, operator: Actor) -> None:
    token = open_session(store, operator, NOON)
    close_session(store, token, NOON)
    close_session(store, token, NOON)
    assert session_actor(store, token, NOON) is None
    assert [entry.action for entry in audit.entries(store)] == ["sign-out", "sign-in"]


def test_the_token_itself_is_not_stored(store: Store, operator: Actor) -> None:
    token = open_session(store, operator, NOON)
    with store.read() as tx:
        assert token not in str(tx.execute(select(sessions)).all())


def test_no_token_and_a_made_up_token_are_nobody(store: Store) -> None:
    assert session_actor(store, None, NOON) is None
    assert session_actor(store, "made-up", NOON) is None

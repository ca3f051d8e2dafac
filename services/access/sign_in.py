"""Signing in: Supabase Auth says who somebody is, app_metadata.ops_role of this target says what they may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.access.permissions import Actor, Role
from services.clients.supabase import SignedIn, SupabaseClient
from services.errors import Refused
from services.settings import Target


def sign_in(target: Target, email: str, password: str) -> Actor:
    """The actor behind an e-mail address and password on this target.

    Raises UpstreamError (unauthorised) for wrong credentials, Unavailable where Auth does not answer, Refused for a
    person without an operations role: the app's own users and admins are not operators.
    """
    return actor_of(target.name, SupabaseClient.of(target).sign_in(email, password))


def actor_of(target: str, person: SignedIn) -> Actor:
    """The actor with the role that this target's app_metadata gives; user_metadata is never looked at.

    ops_role is one role for the project's target, or a mapping from target names to roles.
    """
    role = _role(person.app_metadata.get("ops_role"), target)
    if role is None:
        raise Refused(
            f"{person.email} has no operations role on {target}.",
            "You were not signed in. Users and admins of the app are not operators of its releases.",
            "Ask an admin of the project to set app_metadata.ops_role to viewer, operator or admin.",
        )
    name = str(person.app_metadata.get("name") or person.email)
    return Actor(id=f"{target}:{person.user_id}", name=name, role=role, target=target)


def _role(given: Any, target: str) -> Role | None:
    named = given.get(target) if isinstance(given, Mapping) else given
    return Role(named) if isinstance(named, str) and named in set(Role) else None

"""Signing in: Supabase Auth says who somebody is, app_metadata.ops_role of this target says what they may."""

from __future__ import annotations

from pydantic import SecretStr

from services.access.permissions import Actor, role_for
from services.access.ways import auth_project
from services.clients.supabase_auth import SignedIn, SupabaseAuth
from services.errors import Refused, Unavailable
from services.settings import Target


def sign_in(target: Target, email: str, password: str | SecretStr) -> Actor:
    """The actor behind an e-mail address and password, by the project of one's choosing or else the target's own.

    Raises UpstreamError (unauthorised) for wrong credentials, Unavailable where Auth does not answer or none is set,
    Refused for a person without an operations role: the app's own users and admins are not operators.
    """
    project = auth_project(target)
    if project is None:
        raise Unavailable(
            f"No sign-in by e-mail is configured for {target.name}.",
            "Nobody was signed in.",
            "Set auth_url and auth_anon_key: the address and anon key of a Supabase project whose people may operate.",
            place=f"targets.{target.name}.auth_url",
        )
    secret = password if isinstance(password, SecretStr) else SecretStr(password)
    person = SupabaseAuth(url=project.url, anon_key=project.anon_key).sign_in(email, secret)
    return actor_of(target.name, person)


def actor_of(target: str, person: SignedIn) -> Actor:
    """The actor with the role that app_metadata gives on this target; user_metadata is never looked at.

    ops_role is one role for the project's targets, or a mapping from target names to roles.
    """
    role = role_for(target, person.app_metadata.get("ops_role"))
    if role is None:
        raise Refused(
            f"{person.email} has no operations role on {target}.",
            "You were not signed in. Users and admins of the app are not operators of its releases.",
            "Ask an admin of the project to set app_metadata.ops_role to viewer, operator or admin.",
        )
    name = str(person.app_metadata.get("name") or person.email)
    return Actor(id=f"{target}:{person.user_id}", name=name, role=role, target=target, way="auth")

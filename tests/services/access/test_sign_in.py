"""Signing in: only app_metadata.ops_role of this target makes an operator; everybody else is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from services.access.permissions import Role
from services.access.sign_in import actor_of
from services.clients.supabase import SignedIn
from services.errors import Refused


def person(**app_metadata: Any) -> SignedIn:
    return SignedIn("u1", "ada@example.com", app_metadata, SecretStr("token"))


@pytest.mark.parametrize("role", list(Role))
def test_the_role_comes_from_app_metadata(role: Role) -> None:
    actor = actor_of("staging", person(ops_role=role.value))
    assert (actor.role, actor.target, actor.name) == (role, "staging", "ada@example.com")


def test_a_role_may_be_given_per_target() -> None:
    both = person(ops_role={"staging": "admin", "production": "viewer"})
    assert actor_of("staging", both).role is Role.ADMIN
    assert actor_of("production", both).role is Role.VIEWER
    with pytest.raises(Refused):
        actor_of("sandbox", both)


@pytest.mark.parametrize("given", [None, "", "owner", "Admin", ["admin"], {"staging": "root"}, True])
def test_anything_else_is_refused_and_never_becomes_a_viewer(given: Any) -> None:
    with pytest.raises(Refused, match="no operations role on staging"):
        actor_of("staging", person(ops_role=given, role="admin"))

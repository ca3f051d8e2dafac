"""Who may do what: every pair of role and permission, and never on another target."""

from __future__ import annotations

import pytest

from services.access.permissions import PERMISSIONS, Actor, Permission, Role
from services.errors import Refused

CHANGES = frozenset(Permission) - {Permission.VIEW}


@pytest.mark.parametrize("permission", sorted(CHANGES))
def test_a_viewer_may_change_nothing(viewer: Actor, permission: Permission) -> None:
    with pytest.raises(Refused, match="viewer"):
        viewer.require(permission, "staging")


@pytest.mark.parametrize("permission", sorted(Permission))
def test_an_admin_may_all_and_only_on_their_target(permission: Permission) -> None:
    admin = Actor("u", "Ada", Role.ADMIN, "staging")
    admin.require(permission, "staging")
    with pytest.raises(Refused, match="signed in to staging"):
        admin.require(permission, "production")


def test_roles_only_grow() -> None:
    assert PERMISSIONS[Role.VIEWER] < PERMISSIONS[Role.OPERATOR] < PERMISSIONS[Role.ADMIN]


def test_a_refusal_says_who_may(viewer: Actor) -> None:
    with pytest.raises(Refused) as caught:
        viewer.require(Permission.DEPLOY, "staging")
    assert "operator or admin" in caught.value.do


def test_an_actor_survives_json(operator: Actor) -> None:
    assert Actor.from_json(operator.to_json()) == operator

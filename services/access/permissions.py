"""Roles and what each may do; checked in the service functions, never only by hiding a button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.errors import Refused


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


def role_for(target: str, given: Any) -> Role | None:
    """The role that a provider of identities gives on `target`; None where it gives none, never one by default.

    given: one role for all targets of that provider, or a mapping from target names to roles
    """
    named = given.get(target) if isinstance(given, Mapping) else given
    return Role(named) if isinstance(named, str) and named in set(Role) else None


class Permission(StrEnum):
    VIEW = "view"
    RUN_CHECKS = "run checks"
    SIGN_OFF = "sign off a step"
    WAIVE = "waive a step"
    REHEARSE = "rehearse"
    DEPLOY = "deploy"
    APPROVE = "approve a deploy"
    RESTART = "restart or redeploy the app"
    ROLL_BACK = "roll back"
    COMMAND_INCIDENT = "open and run an incident"
    BREAK = "break something in a disposable target"
    BACK_UP = "take a backup"
    CONNECT = "grant and take back levels"
    SEE_SMALL_GROUPS = "see groups of fewer than five people"
    SEE_ADDRESSES = "see e-mail addresses"


_ADMIN_ONLY = frozenset({Permission.CONNECT, Permission.SEE_SMALL_GROUPS, Permission.SEE_ADDRESSES})
_OPERATOR = frozenset(Permission) - _ADMIN_ONLY

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.VIEW}),
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an id that is stable, a name to show, and the role on one target.

    way: how they signed in: "auth", "oidc", "recovery", "founder"; "" at the command line
    """

    id: str
    name: str
    role: Role
    target: str
    way: str = ""

    def may(self, permission: Permission) -> bool:
        return permission in PERMISSIONS[self.role]

    def require(self, permission: Permission, target: str) -> None:
        """Raise Refused unless this actor's role on `target` holds the permission."""
        if self.target != target:
            raise Refused(
                f"{self.name} is signed in to {self.target}, not to {target}.",
                "Nothing was done: a role counts on its own target only.",
                f"Sign in to {target} first.",
            )
        if not self.may(permission):
            able = ", ".join(role.value for role in Role if permission in PERMISSIONS[role])
            raise Refused(
                f"{self.name} is {self.role.value} on {target} and may not {permission.value}.",
                "Nothing was done.",
                f"Ask someone who is {able.replace(', ', ' or ')} on {target}.",
            )

    def to_json(self) -> dict[str, str]:
        told = {"id": self.id, "name": self.name, "role": self.role.value, "target": self.target}
        return {**told, "way": self.way} if self.way else told

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Actor:
        return cls(
            id=data["id"],
            name=data["name"],
            role=Role(data["role"]),
            target=data["target"],
            way=data.get("way", ""),
        )

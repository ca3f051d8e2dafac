"""The people of the sandbox: three operators of the dashboard, and one user of the app who is none."""

from __future__ import annotations

import secrets
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["viewer", "operator", "admin"]


class Account(BaseModel):
    """Someone who can sign in at the world's Supabase. ops_role None = one of the app's own users."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    name: str
    email: str
    password: str
    ops_role: Role | None

    @property
    def app_metadata(self) -> dict[str, Any]:
        """What only the service may write: the one place a role is read from."""
        told: dict[str, Any] = {"provider": "email", "providers": ["email"]}
        return told if self.ops_role is None else {**told, "ops_role": self.ops_role, "name": self.name}


_PEOPLE: tuple[tuple[str, str, str, Role | None], ...] = (
    ("6b1f0a52-0d8e-4f3b-9c55-3f6f6b2f0a01", "Vera Viewer", "viewer@sandbox.example", "viewer"),
    ("6b1f0a52-0d8e-4f3b-9c55-3f6f6b2f0a02", "Olof Operator", "operator@sandbox.example", "operator"),
    ("6b1f0a52-0d8e-4f3b-9c55-3f6f6b2f0a03", "Ada Admin", "admin@sandbox.example", "admin"),
    ("6b1f0a52-0d8e-4f3b-9c55-3f6f6b2f0a04", "Uma User", "user_123@example.com", None),
)


def make_accounts() -> tuple[Account, ...]:
    """The people, each with a new password."""
    return tuple(
        Account(id=number, name=name, email=email, password=secrets.token_urlsafe(12), ops_role=role)
        for number, name, email, role in _PEOPLE
    )

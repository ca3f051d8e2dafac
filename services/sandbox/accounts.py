"""The people of the sandbox: operators of the dashboard, a user of the app, and the test accounts of our checks."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["viewer", "operator", "admin"]


class Account(BaseModel):
    """Someone who can sign in at the world's Supabase.

    ops_role:     None = no operator of the dashboard
    purpose:      what our checks use it for; None = no test account
    app_role:     what the app's own makers wrote into app_metadata
    claimed_role: what the account wrote about itself into user_metadata, which gives it no right
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    name: str
    email: str
    password: str
    ops_role: Role | None = None
    purpose: str | None = None
    app_role: str | None = None
    claimed_role: str | None = None

    @property
    def app_metadata(self) -> dict[str, Any]:
        """What only the service may write: the one place a role is read from."""
        told: dict[str, Any] = {"provider": "email", "providers": ["email"]}
        if self.ops_role is not None:
            told |= {"ops_role": self.ops_role, "name": self.name}
        return told if self.app_role is None else {**told, "role": self.app_role}

    @property
    def user_metadata(self) -> dict[str, Any]:
        """What the account may write itself."""
        told = {"name": self.name}
        return told if self.claimed_role is None else {**told, "role": self.claimed_role}


def _number(last: int) -> str:
    return f"6b1f0a52-0d8e-4f3b-9c55-3f6f6b2f0a{last:02x}"


def make_accounts(known: Iterable[Account] = (), *, domain: str = "sandbox.example") -> tuple[Account, ...]:
    """Everybody, in one order: the known ones as they are, the others with a new password.

    domain: of the addresses of those who belong to the world's maker
    """
    by_id = {one.id: one for one in known}
    made = [
        _operator(1, "Vera Viewer", "viewer", domain),
        _operator(2, "Olof Operator", "operator", domain),
        _operator(3, "Ada Admin", "admin", domain),
        Account(id=_number(4), name="Uma User", email="user_123@example.com", password=_new()),
        _test_account(5, "probe", domain),
        _test_account(6, "ai", domain),
        _test_account(7, "rate-limit", domain),
        _test_account(8, "admin", domain, app_role="admin"),
        _test_account(9, "edited-metadata", domain, claimed_role="admin"),
    ]
    return tuple(by_id.get(one.id, one) for one in made)


def _operator(last: int, name: str, role: Role, domain: str) -> Account:
    return Account(id=_number(last), name=name, email=f"{role}@{domain}", password=_new(), ops_role=role)


def _test_account(
    last: int, purpose: str, domain: str, *, app_role: str | None = None, claimed_role: str | None = None
) -> Account:
    return Account(
        id=_number(last),
        name=f"Test account {purpose}",
        email=f"ops-{purpose}@{domain}",
        password=_new(),
        purpose=purpose,
        app_role=app_role,
        claimed_role=claimed_role,
    )


def _new() -> str:
    return secrets.token_urlsafe(12)

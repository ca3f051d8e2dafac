"""Who calls: everybody is `user_123` in the builds without sign-in; the newest build reads a Supabase token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from starlette.requests import Request

from apps.pulsecheck.twin.contract import CALLER, ApiError

CALLER_EMAIL = f"{CALLER}@example.com"
AUDIENCE = "authenticated"


@dataclass(frozen=True, slots=True)
class Caller:
    """user_id: how rows name the caller; column, value: what finds the caller's row in `users`."""

    user_id: str
    column: str
    value: str

    @property
    def own_rows(self) -> dict[str, str]:
        return {"user_id": f"eq.{self.user_id}"}

    @property
    def own_profile(self) -> dict[str, str]:
        return {self.column: f"eq.{self.value}"}


Identify = Callable[[Request], Caller]
Admit = Callable[[Request], None]


def everybody(_request: Request) -> Caller:
    """There is no sign-in: all are one person."""
    return Caller(CALLER, "email", CALLER_EMAIL)


def open_to_all(_request: Request) -> None:
    """Nobody is turned away from the admin routes."""


class SignedIn:
    """The bearer of an HS256 token of Supabase Auth. secret: the project's JWT secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def identify(self, request: Request) -> Caller:
        """401 without a good token."""
        user_id = str(self._claims(request)["sub"])
        return Caller(user_id, "id", user_id)

    def admit(self, request: Request) -> None:
        """403 without the role admin, which is believed from user_metadata too, where users write it themselves."""
        claims = self._claims(request)
        told = [claims.get(name) for name in ("app_metadata", "user_metadata")]
        if not any(isinstance(one, dict) and one.get("role") == "admin" for one in told):
            raise ApiError(403, "Admin access required")

    def _claims(self, request: Request) -> dict[str, Any]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ApiError(401, "Not authenticated")
        try:
            return jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=AUDIENCE,
                options={"require": ["sub", "exp"]},
            )
        except jwt.ExpiredSignatureError:
            raise ApiError(401, "Token has expired") from None
        except jwt.InvalidTokenError:
            raise ApiError(401, "Could not validate credentials") from None

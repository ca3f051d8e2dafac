"""A stand-in for Supabase Auth: signs in the sandbox's people, with GoTrue's bodies, error codes and tokens."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any
from uuid import uuid4

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.accounts import Account
from services.sandbox.supabase_gateway import bearer, refusal
from services.sandbox.supabase_state import SupabaseState

TOKEN_LIFE_S = 3600
_DATED_ERRORS = "2024-01-01"


class AuthServer:
    """Accounts come from the sandbox's keys. A session is known by its id, which token and refresh token carry."""

    def __init__(self, state: SupabaseState) -> None:
        self._state = state
        self._by_email = {account.email: account for account in state.keys.accounts}
        self._by_id = {account.id: account for account in state.keys.accounts}
        self._user_metadata: dict[str, dict[str, Any]] = {}
        self._ended: set[str] = set()
        self._used: set[str] = set()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", self._health, methods=["GET"]),
                Route("/settings", self._settings, methods=["GET"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/user", self._get_user, methods=["GET"]),
                Route("/user", self._put_user, methods=["PUT"]),
                Route("/logout", self._logout, methods=["POST"]),
            ]
        )

    async def _health(self, request: Request) -> Response:
        return refusal(request, self._state) or JSONResponse(
            {"version": "v2.180.0", "name": "GoTrue", "description": "GoTrue is a user registration and auth API"}
        )

    async def _settings(self, request: Request) -> Response:
        return refusal(request, self._state) or JSONResponse(
            {
                "external": {"email": True, "phone": False, "anonymous_users": False},
                "disable_signup": True,
                "mailer_autoconfirm": False,
                "phone_autoconfirm": False,
                "saml_enabled": False,
            }
        )

    async def _token(self, request: Request) -> Response:
        if refused := refusal(request, self._state):
            return refused
        try:
            body = json.loads(await request.body())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return _error(request, 400, "bad_json", "Could not parse request body as JSON: invalid character")
        grant = request.query_params.get("grant_type")
        if grant == "password":
            return self._by_password(request, body)
        if grant == "refresh_token":
            return self._by_refresh_token(request, body)
        return _error(request, 400, "unsupported_grant_type", "unsupported_grant_type")

    def _by_password(self, request: Request, body: dict[str, Any]) -> Response:
        email, password = body.get("email"), body.get("password")
        if not email:
            return _error(request, 400, "validation_failed", "missing email or phone")
        account = self._by_email.get(str(email).lower())
        if account is None or not compare_digest(str(password).encode(), account.password.encode()):
            return _error(request, 400, "invalid_credentials", "Invalid login credentials")
        return JSONResponse(self._session(account, str(uuid4())))

    def _by_refresh_token(self, request: Request, body: dict[str, Any]) -> Response:
        token = str(body.get("refresh_token") or "")
        user_id, session_id = self._read_refresh_token(token)
        account = self._by_id.get(user_id)
        if account is None or session_id in self._ended:
            return _error(request, 400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
        if token in self._used:
            return _error(request, 400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        self._used.add(token)
        return JSONResponse(self._session(account, session_id))

    async def _get_user(self, request: Request) -> Response:
        found = self._signed_in(request)
        return found if isinstance(found, Response) else JSONResponse(self._user(found[0]))

    async def _put_user(self, request: Request) -> Response:
        """Users may write their own user_metadata: which is why no right may ever be read from it."""
        found = self._signed_in(request)
        if isinstance(found, Response):
            return found
        try:
            data = json.loads(await request.body()).get("data")
        except (ValueError, AttributeError):
            return _error(request, 400, "bad_json", "Could not parse request body as JSON: invalid character")
        if isinstance(data, dict):
            self._user_metadata.setdefault(found[0].id, {}).update(data)
        return JSONResponse(self._user(found[0]))

    async def _logout(self, request: Request) -> Response:
        found = self._signed_in(request)
        if isinstance(found, Response):
            return found
        self._ended.add(found[1])
        return Response(status_code=204)

    def _signed_in(self, request: Request) -> tuple[Account, str] | Response:
        """The caller and their session, or GoTrue's answer to a call without a good token."""
        if refused := refusal(request, self._state):
            return refused
        token = bearer(request)
        if token is None:
            return _error(request, 401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            claims = jwt.decode(
                token,
                self._state.keys.jwt_secret,
                algorithms=["HS256"],
                options={"verify_aud": False, "verify_exp": False},
            )
        except jwt.InvalidTokenError:
            return _error(
                request, 403, "bad_jwt", "invalid JWT: unable to parse or verify signature, token is malformed"
            )
        if claims.get("exp", 0) <= self._state.now().timestamp():
            return _error(request, 403, "bad_jwt", "invalid JWT: unable to parse or verify signature, token is expired")
        account = self._by_id.get(str(claims.get("sub")))
        if account is None:
            return _error(request, 403, "bad_jwt", "invalid claim: missing sub claim")
        session_id = str(claims.get("session_id"))
        if session_id in self._ended:
            return _error(request, 403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return account, session_id

    def _session(self, account: Account, session_id: str) -> dict[str, Any]:
        now = int(self._state.now().timestamp())
        user = self._user(account)
        claims = {
            "iss": f"{self._state.url}/auth/v1",
            "sub": account.id,
            "aud": "authenticated",
            "iat": now,
            "exp": now + TOKEN_LIFE_S,
            "email": account.email,
            "phone": "",
            "app_metadata": user["app_metadata"],
            "user_metadata": user["user_metadata"],
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": session_id,
            "is_anonymous": False,
        }
        return {
            "access_token": jwt.encode(claims, self._state.keys.jwt_secret, algorithm="HS256"),
            "token_type": "bearer",
            "expires_in": TOKEN_LIFE_S,
            "expires_at": now + TOKEN_LIFE_S,
            "refresh_token": self._refresh_token(account.id, session_id),
            "user": user,
        }

    def _user(self, account: Account) -> dict[str, Any]:
        made = _stamp(self._state.keys.made)
        user_metadata = {**account.user_metadata, **self._user_metadata.get(account.id, {})}
        return {
            "id": account.id,
            "aud": "authenticated",
            "role": "authenticated",
            "email": account.email,
            "email_confirmed_at": made,
            "phone": "",
            "confirmed_at": made,
            "last_sign_in_at": _stamp(self._state.now()),
            "app_metadata": account.app_metadata,
            "user_metadata": user_metadata,
            "identities": [
                {
                    "identity_id": account.id,
                    "id": account.id,
                    "user_id": account.id,
                    "identity_data": {"email": account.email, "email_verified": True, "sub": account.id},
                    "provider": "email",
                    "last_sign_in_at": made,
                    "created_at": made,
                    "updated_at": made,
                    "email": account.email,
                }
            ],
            "created_at": made,
            "updated_at": made,
            "is_anonymous": False,
        }

    def _refresh_token(self, user_id: str, session_id: str) -> str:
        """Good after a restart too: it is signed, not remembered."""
        number = uuid4().hex[:12]
        return f"{user_id}.{session_id}.{number}.{self._signature(f'{user_id}.{session_id}.{number}')}"

    def _read_refresh_token(self, token: str) -> tuple[str, str]:
        body, _, signature = token.rpartition(".")
        if body.count(".") != 2 or not compare_digest(signature.encode(), self._signature(body).encode()):
            return "", ""
        user_id, session_id, _ = body.split(".")
        return user_id, session_id

    def _signature(self, text: str) -> str:
        return hmac.new(self._state.keys.jwt_secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:24]


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _error(request: Request, status: int, code: str, message: str) -> JSONResponse:
    """GoTrue's error body: since API version 2024-01-01 {code, message}; to older callers {code, error_code, msg}."""
    if request.headers.get("x-supabase-api-version", "") >= _DATED_ERRORS:
        headers = {"x-supabase-api-version": _DATED_ERRORS}
        return JSONResponse({"code": code, "message": message}, status_code=status, headers=headers)
    return JSONResponse({"code": status, "error_code": code, "msg": message}, status_code=status)

"""Supabase Auth: whether it is up, and who somebody is by e-mail address and password."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from services.clients.budget import duration, retry_after_s
from services.clients.connection_failure import read_failure
from services.clients.deadline import remaining
from services.clients.http import (
    CALL_S,
    USER_AGENT,
    HttpClient,
    Kind,
    Reason,
    UpstreamError,
    kind_of,
    sendable,
)
from services.clients.redaction import redact
from services.clients.supabase_rest import bearer, hidden, not_set
from services.clients.transport import CONNECT_S, DeadlineTransport, call_deadline

# Codes of Auth that are about the person; any other refusal is about us or about the service.
_WRONG_CREDENTIALS = frozenset({"invalid_credentials", "invalid_grant", "user_not_found"})


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person whom Supabase Auth knows. Roles come from app_metadata; users can edit user_metadata themselves."""

    user_id: str
    email: str
    app_metadata: Mapping[str, Any]
    access_token: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthHealth:
    """What answers for Auth, by its own words: name ("GoTrue") and version."""

    name: str
    version: str


class SupabaseAuth:
    """Needs the project's address and the anon key; raises Unavailable where one is not set."""

    def __init__(self, *, url: str | None, anon_key: str | SecretStr | None) -> None:
        self._auth_url = url
        self._auth_key = hidden(anon_key)
        self._auth: HttpClient | None = None

    def auth_health(self) -> AuthHealth:
        """That Auth answers, and with which version. Signs nobody in."""
        address, key = self._auth_settings()
        if self._auth is None:
            headers = {"apikey": key, "authorization": bearer(key)}
            self._auth = HttpClient("Supabase", address, headers=headers)
        return self._auth.get("/auth/v1/health").expect().read(_health)

    def sign_in(self, email: str, password: str | SecretStr) -> SignedIn:
        """Password sign-in. Raises UpstreamError: unauthorised for wrong credentials."""
        who, password = SecretStr(email), SecretStr(password) if isinstance(password, str) else password
        del email
        address, key = self._auth_settings()
        return _sign_in(address, key, who, password)

    def _auth_settings(self) -> tuple[str, SecretStr]:
        if self._auth_url is None or self._auth_key is None:
            raise not_set("supabase_url and supabase_anon_key")
        return self._auth_url, self._auth_key

    def _close_auth(self) -> None:
        if self._auth is not None:
            self._auth.close()


def _health(body: Any) -> AuthHealth:
    if not isinstance(body["name"], str) or not isinstance(body["version"], str):
        raise TypeError
    return AuthHealth(body["name"], body["version"])


@dataclass(slots=True)
class _Heard:
    """What the network saw of a sign-in, which the package's own errors do not tell."""

    status: int | None = None
    wait_s: float | None = None
    failed: Exception | None = field(default=None, repr=False)


def _sign_in(url: str, key: SecretStr, email: SecretStr, password: SecretStr) -> SignedIn:
    seconds = remaining(CALL_S)
    if not sendable(key.get_secret_value()):
        what = "Supabase Auth was not asked: the anon key in the settings holds characters that no key has."
        raise UpstreamError("Supabase", Kind.UNAUTHORISED, what, reason=Reason.MALFORMED_KEY)
    heard = _Heard()
    started = time.monotonic()
    person = _asked(url, key, email, password, seconds, heard)
    if person is None:
        raise _refused(heard, seconds, time.monotonic() - started, (key, email, password))
    return person


def _asked(
    url: str, key: SecretStr, email: SecretStr, password: SecretStr, seconds: float, heard: _Heard
) -> SignedIn | None:
    """The person; None where `heard` tells why there is none."""
    import httpx
    from supabase import ClientOptions, create_client

    def remember(response: httpx.Response) -> None:
        heard.status, heard.wait_s = response.status_code, retry_after_s(response.headers)

    http = httpx.Client(
        transport=DeadlineTransport(packed=False),
        timeout=httpx.Timeout(CALL_S, connect=CONNECT_S),
        headers={"user-agent": USER_AGENT},
        event_hooks={"response": [remember]},
        trust_env=False,
    )
    try:
        options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        with call_deadline(seconds):
            answer = create_client(url, key.get_secret_value(), options).auth.sign_in_with_password(
                {"email": email.get_secret_value(), "password": password.get_secret_value()}
            )
        if answer.user is None or answer.session is None:
            return None
        return SignedIn(
            user_id=str(answer.user.id),
            email=str(answer.user.email or email.get_secret_value()),
            app_metadata=dict(answer.user.app_metadata or {}),
            access_token=SecretStr(answer.session.access_token),
        )
    except Exception as error:
        # A web page with status 200 makes the package raise whatever its parser stumbles over.
        heard.failed = error
        return None
    finally:
        http.close()


def _refused(heard: _Heard, seconds: float, took_s: float, secrets: tuple[SecretStr, ...]) -> UpstreamError:
    """The one error for what the network did, what Auth said, or what the package could not read."""
    failed, status = heard.failed, heard.status
    heard.failed = None
    if failed is not None:
        kind, reason, what = read_failure(failed, min(seconds, took_s))
        if reason is not None or status is None:
            return UpstreamError("Supabase", kind, f"Supabase Auth {what}.", reason=reason, took_s=took_s)
    if status is None or status < 300:
        what = "Supabase Auth answered something that is not understood."
        return UpstreamError(
            "Supabase", Kind.NOT_UNDERSTOOD, what, status=status, took_s=took_s, reason=Reason.WRONG_TYPE
        )
    found = getattr(failed, "code", None)
    code = redact(found, [one.get_secret_value() for one in secrets])[:60] if isinstance(found, str) else None
    kind = Kind.UNAUTHORISED if status in (400, 401, 403, 422) else kind_of(status)
    if kind is not Kind.UNAUTHORISED:
        asks = f": it asks us to wait {duration(heard.wait_s)}" if heard.wait_s is not None else ""
        what = f"Supabase Auth answered {status} ({kind.value}){asks}."
    elif code in _WRONG_CREDENTIALS or (code is None and status == 400):
        what = "Supabase does not know this e-mail address and password."
    else:
        what = f"Supabase Auth refused the sign-in ({code or status})."
    return UpstreamError("Supabase", kind, what, status=status, code=code, took_s=took_s, retry_after_s=heard.wait_s)

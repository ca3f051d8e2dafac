"""Signing in by OpenID Connect: the way to the provider, the way back, and what the browser keeps in between."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard.edge.cookies import set_session
from dashboard.edge.sign_in.access import (
    Access,
    ask_again,
    asked_for,
    cannot_go_on,
    is_secure,
    local_path,
    plain_page,
)
from dashboard.edge.sign_in.pages import go_on_page
from services.access.oidc import Begun, begin, finish
from services.access.sessions import LIFETIME, open_session
from services.errors import NotUnderstood, OpsError, Refused
from services.settings import Oidc, Settings, Target

COOKIE = "ops_oidc"
CALLBACK = "/auth/oidc/callback"
GIVEN_UP_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the browser that began a sign-in keeps: no other browser can end it, and none can end it twice."""

    begun: Begun
    target: str
    after: str
    until: datetime

    def to_cookie(self) -> str:
        told = {
            "state": self.begun.state,
            "nonce": self.begun.nonce.get_secret_value(),
            "verifier": self.begun.verifier.get_secret_value(),
            "target": self.target,
            "after": self.after,
            "until": self.until.isoformat(),
        }
        return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()

    @classmethod
    def from_cookie(cls, text: str) -> Kept | None:
        """None for what we cannot have written. It may be forged: only ever by the browser that it concerns."""
        try:
            told = json.loads(base64.urlsafe_b64decode(text.encode()))
            begun = Begun("", str(told["state"]), SecretStr(str(told["nonce"])), SecretStr(str(told["verifier"])))
            until = datetime.fromisoformat(told["until"])
            if until.tzinfo is None:
                return None
            return cls(begun, str(told["target"]), local_path(str(told["after"])), until)
        except (ValueError, TypeError, KeyError):
            return None


def routes(access: Access) -> list[Route]:
    """GET /auth/oidc/start and the way back from the provider."""

    async def start(request: Request) -> Response:
        return await run_in_threadpool(_start, access, request)

    async def callback(request: Request) -> Response:
        return await run_in_threadpool(_callback, access, request)

    return [Route("/auth/oidc/start", start, methods=["GET"]), Route(CALLBACK, callback, methods=["GET"])]


def _start(access: Access, request: Request) -> Response:
    after = local_path(request.query_params.get("next"))
    try:
        settings, target = asked_for(access, request.query_params.get("target"))
        oidc = _configured(settings)
    except OpsError as error:
        return cannot_go_on(error)
    place = _base(settings, request)
    elsewhere = urlsplit(place).netloc.lower() != request.headers.get("host", "").lower()
    if elsewhere and "moved" not in request.query_params:
        # The provider sends the browser back to that name, where it would not have the cookie of this one. Once
        # only: a proxy may hide from us under which name we were asked.
        query = f"target={quote(target.name)}&next={quote(after)}&moved=1"
        return RedirectResponse(f"{place}/auth/oidc/start?{query}", status_code=303)
    try:
        begun = begin(oidc, place + CALLBACK)
    except OpsError as error:
        return ask_again(access, request, settings, target, after, error)
    response = RedirectResponse(begun.address, status_code=303, headers={"Cache-Control": "no-store"})
    kept = Kept(begun, target.name, after, access.clock() + GIVEN_UP_AFTER)
    secure = is_secure(settings, request)
    response.set_cookie(
        _cookie(secure=secure),
        kept.to_cookie(),
        max_age=int(GIVEN_UP_AFTER.total_seconds()),
        path="/",
        httponly=True,
        secure=secure,
        # The provider sends the browser back from another site; a strict cookie would stay behind.
        samesite="lax",
    )
    return response


def _callback(access: Access, request: Request) -> Response:
    try:
        settings = access.settings()
    except OpsError as error:
        return cannot_go_on(error)
    response = _ended(access, request, settings)
    secure = is_secure(settings, request)
    # Whatever came of it: a second visit to this address finds nothing to go on with.
    response.delete_cookie(_cookie(secure=secure), path="/", httponly=True, secure=secure, samesite="lax")
    return response


def _ended(access: Access, request: Request, settings: Settings) -> Response:
    secure = is_secure(settings, request)
    kept = Kept.from_cookie(request.cookies.get(_cookie(secure=secure), ""))
    try:
        oidc = _configured(settings)
        target = settings.target(kept.target if kept is not None else None)
    except OpsError as error:
        return cannot_go_on(error)
    if kept is None or kept.until <= access.clock():
        late = Refused(
            "This sign-in was not begun in this browser within the last 10 minutes, or it has ended already.",
            "Nobody was signed in.",
            "Begin again.",
        )
        return ask_again(access, request, settings, target, kept.after if kept else "/", late)
    return _signed_in(access, request, settings, oidc, target, kept)


def _signed_in(
    access: Access, request: Request, settings: Settings, oidc: Oidc, target: Target, kept: Kept
) -> Response:
    redirect_uri = _base(settings, request) + CALLBACK
    try:
        actor = finish(oidc, target.name, redirect_uri, kept.begun, dict(request.query_params), access.clock())
        token = open_session(access.store(), actor, access.clock())
    except OpsError as error:
        return ask_again(access, request, settings, target, kept.after, error)
    # Not a redirect: this navigation began at another site, and on it the strict session cookie would not be sent.
    # A page of ours that goes on by itself begins a new one.
    response = plain_page(go_on_page(target.name, kept.after))
    set_session(response, target.name, token, secure=is_secure(settings, request), lasts_s=LIFETIME.total_seconds())
    return response


def _configured(settings: Settings) -> Oidc:
    if settings.oidc is None:
        raise NotUnderstood(
            "No sign-in by OpenID Connect is configured.", "Nobody was signed in.", "Sign in in another way.", "oidc"
        )
    return settings.oidc


def _base(settings: Settings, request: Request) -> str:
    """Where browsers reach us: what is configured, else what this one asked for, which is this machine."""
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    return f"{request.url.scheme}://{request.headers.get('host', '')}"


def _cookie(*, secure: bool) -> str:
    """By https with the prefix that lets no other host of the same domain put a cookie of its own in its place."""
    return f"__Host-{COOKIE}" if secure else COOKIE

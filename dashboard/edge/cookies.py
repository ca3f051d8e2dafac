"""The session cookie: one for each target, since a role counts on its own target only."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.responses import Response

PREFIX = "ops_session_"


def cookie_name(target: str) -> str:
    """The name of the cookie that holds the session on `target`."""
    return PREFIX + re.sub(r"[^A-Za-z0-9_-]", "_", target)


def session_token(cookies: Mapping[str, str], target: str) -> str | None:
    """The opaque token the browser sent for `target`."""
    return cookies.get(cookie_name(target)) or None


def set_session(response: Response, target: str, token: str, *, secure: bool, lasts_s: float) -> None:
    """Put the token where scripts cannot read it and other sites cannot send it. lasts_s: as long as the session."""
    response.set_cookie(
        cookie_name(target), token, max_age=int(lasts_s), path="/", httponly=True, samesite="strict", secure=secure
    )


def clear_session(response: Response, target: str, *, secure: bool) -> None:
    """Take the cookie away with the same attributes it was set with."""
    response.delete_cookie(cookie_name(target), path="/", httponly=True, samesite="strict", secure=secure)

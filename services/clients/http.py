"""How we talk HTTP to an upstream: one deadline, one size limit, no hidden retry, one family of errors."""

from __future__ import annotations

import json as jsonlib
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from services.clients.budget import duration, retry_after_s
from services.clients.connection_failure import read_failure
from services.clients.deadline import remaining
from services.clients.redaction import redact
from services.clients.transport import CONNECT_S, MAX_BYTES, DeadlineTransport, TooLarge, call_deadline
from services.clients.upstream_error import Kind, Reason, UpstreamError

__all__ = [
    "CALL_S",
    "MAX_BYTES",
    "USER_AGENT",
    "Answer",
    "HoldsSecrets",
    "HttpClient",
    "Kind",
    "Reason",
    "UpstreamError",
    "failure",
    "kind_of",
    "message_in",
    "sendable",
]

T = TypeVar("T")
CALL_S = 8.0
USER_AGENT = "release-cockpit/1"
_SECRET_HEADERS = frozenset({"authorization", "apikey", "project-access-token", "cookie"})
_KINDS: Mapping[int, Kind] = {
    401: Kind.UNAUTHORISED,
    402: Kind.QUOTA,
    403: Kind.FORBIDDEN,
    404: Kind.MISSING,
    405: Kind.MISSING,
    408: Kind.TIMEOUT,
    410: Kind.MISSING,
    429: Kind.RATE_LIMITED,
    504: Kind.TIMEOUT,
    # What stands before the service could not reach it (Cloudflare), or found the project asleep (Supabase).
    521: Kind.UNREACHABLE,
    522: Kind.TIMEOUT,
    523: Kind.UNREACHABLE,
    524: Kind.TIMEOUT,
    540: Kind.PAUSED,
    544: Kind.TIMEOUT,
}
# What reading a body of another type than the documented one stumbles over.
_STUMBLES = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError)


class HoldsSecrets:
    """Something with a key inside: its repr tells only its type, and it lets itself be neither pickled nor copied."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not pickled.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, lower-case headers, body, and the seconds it took.

    Only upstream and status show in its repr: the rest may hold what nobody should read.
    secrets: the values that were sent along, so that the other side's echo of them can be blanked
    """

    upstream: str
    url: str = field(repr=False)
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    took_s: float
    secrets: tuple[SecretStr, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def looks_like_a_web_page(self) -> bool:
        """By its first character: what the content type says is often not so."""
        return self.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON; raises UpstreamError(not-understood) for HTML, broken JSON or nothing."""
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError):
            reason = Reason.BROKEN_JSON
        looks = "something else"
        if self.looks_like_a_web_page:
            reason, looks = Reason.WEB_PAGE, "a web page"
        elif not self.body.strip():
            reason, looks = Reason.EMPTY, "an empty body"
        elif self.body.lstrip()[:1] in (b"{", b"["):
            looks = "broken JSON"
        raise self._not_understood(
            reason, f"{self.upstream} answered {self.status} with {looks} where JSON was expected."
        )

    def read(self, parse: Callable[[Any], T]) -> T:
        """What `parse` makes of the JSON body; raises UpstreamError(not-understood) where it is of another type.

        The error is raised from here, so that no traceback shows the body that `parse` had in hand.
        """
        try:
            return parse(self.json())
        except _STUMBLES as error:
            stumbled = type(error).__name__
        what = f"{self.upstream} answered {self.status} with JSON of another type than documented ({stumbled})."
        raise self._not_understood(Reason.WRONG_TYPE, what)

    def expect(self, *statuses: int) -> Answer:
        """This answer where its status is 2xx or one of `statuses`; else raises UpstreamError with its kind."""
        if self.ok or self.status in statuses:
            return self
        raise failure(self)

    def redacted(self, text: str) -> str:
        """The text without secrets, those that were sent with the request included."""
        return redact(text, [secret.get_secret_value().removeprefix("Bearer ") for secret in self.secrets])

    def _not_understood(self, reason: Reason, what: str) -> UpstreamError:
        return UpstreamError(
            self.upstream, Kind.NOT_UNDERSTOOD, what, status=self.status, took_s=self.took_s, reason=reason
        )


def kind_of(status: int) -> Kind:
    """The kind of failure that an HTTP status stands for, before the body is looked at."""
    return _KINDS.get(status, Kind.SERVER_ERROR if status >= 500 else Kind.NOT_UNDERSTOOD)


def failure(answer: Answer, kind: Kind | None = None, *, code: str | None = None, said: str = "") -> UpstreamError:
    """The error for an answer with a failing status; the other side's words go, redacted, into `detail`.

    said: words to use instead of those of the body's usual places; code: the other side's own code
    """
    found = kind or kind_of(answer.status)
    words = answer.redacted(said) if said else message_in(answer)
    wait = retry_after_s(answer.headers)
    reason = None
    if 300 <= answer.status < 400:
        reason, words = Reason.REDIRECT, _whereto(answer)
    elif answer.looks_like_a_web_page:
        reason = Reason.WEB_PAGE
    if found is Kind.RATE_LIMITED:
        words += ("; " if words else "") + (f"it asks us to wait {duration(wait)}" if wait is not None else "")
    page = " with a web page" if reason is Reason.WEB_PAGE else ""
    return UpstreamError(
        answer.upstream,
        found,
        f"{answer.upstream} answered {answer.status}{page} ({found.value})" + (f": {words}" if words else "") + ".",
        status=answer.status,
        code=code,
        detail=words,
        took_s=answer.took_s,
        reason=reason,
        retry_after_s=wait,
    )


def _whereto(answer: Answer) -> str:
    """Where a redirect leads: host and path only, since the rest may hold a token."""
    try:
        place = urlsplit(answer.headers.get("location", ""))
    except ValueError:
        return "it sends us elsewhere"
    shown = answer.redacted(f"{place.hostname or ''}{place.path}")[:120]
    return f"it sends us on to {shown}" if shown else "it sends us elsewhere"


def message_in(answer: Answer) -> str:
    """What the other side says went wrong, from the usual places of a JSON body; '' where it says nothing."""
    try:
        body = jsonlib.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    for key in ("message", "detail", "error", "msg", "error_description"):
        value = body.get(key) if isinstance(body, dict) else None
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str) and value.strip():
            return answer.redacted(" ".join(value.split()))[:300]
    return ""


def sendable(value: str) -> bool:
    """Whether a key can be sent in a header: ASCII without line breaks or other control characters."""
    return value.isascii() and value.isprintable() and value == value.strip() and bool(value)


class HttpClient(HoldsSecrets):
    """Calls to one upstream. `request` returns any answer; it raises UpstreamError only where there is none.

    headers: those that hold a key are kept apart, so that an echo of the key is blanked
    Its connections are closed by `close`, or when nobody holds the client any more.
    """

    def __init__(
        self,
        upstream: str,
        base_url: str,
        *,
        headers: Mapping[str, str | SecretStr] | None = None,
        call_s: float = CALL_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.upstream = upstream
        self.base_url = base_url.rstrip("/")
        self._call_s = call_s
        self._max_bytes = max_bytes
        self._headers = {name: _hidden(value) for name, value in (headers or {}).items()}
        self._client = httpx.Client(
            headers={"user-agent": USER_AGENT, "accept": "application/json"},
            timeout=httpx.Timeout(call_s, connect=CONNECT_S),
            follow_redirects=False,
            transport=DeadlineTransport(max_bytes),
            trust_env=False,
        )
        self._closing = weakref.finalize(self, self._client.close)

    def __repr__(self) -> str:
        return f"HttpClient({self.upstream})"

    def close(self) -> None:
        self._closing()

    def get(self, path: str, *, params: Mapping[str, Any] | None = None, call_s: float | None = None) -> Answer:
        return self.request("GET", path, params=params, call_s=call_s)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        headers: Mapping[str, str | SecretStr] | None = None,
        call_s: float | None = None,
    ) -> Answer:
        """One call, no retry; a redirect is an answer, never followed. Raises UpstreamError for no answer at all.

        headers: those of this call, before those of the client; give keys as SecretStr
        """
        seconds = remaining(self._call_s if call_s is None else call_s)
        started = time.monotonic()
        sent = self._headers | {name: _hidden(value) for name, value in (headers or {}).items()}
        secrets = tuple(value for name, value in sent.items() if name.lower() in _SECRET_HEADERS)
        self._require_sendable(seconds, sent)
        failed: Exception
        try:
            return self._answered(method, path, params, json, sent, secrets, seconds, started)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            failed = error
        took_s = time.monotonic() - started
        kind, reason, what = read_failure(failed, min(seconds, took_s))
        del failed
        raise self._no_answer(kind, what, reason, took_s)

    def _require_sendable(self, seconds: float, headers: Mapping[str, SecretStr]) -> None:
        if seconds <= 0:
            what = "was not asked: the time for this check is used up"
            raise self._no_answer(Kind.TIMEOUT, what, Reason.NOT_ASKED)
        for name, value in headers.items():
            if name.lower() in _SECRET_HEADERS and not sendable(value.get_secret_value()):
                what = "was not asked: the key in the settings holds characters that no key has"
                raise self._no_answer(Kind.UNAUTHORISED, what, Reason.MALFORMED_KEY)

    def _answered(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        json: object,
        headers: Mapping[str, SecretStr],
        secrets: tuple[SecretStr, ...],
        seconds: float,
        started: float,
    ) -> Answer:
        plain = {name: value.get_secret_value() for name, value in headers.items()}
        with (
            call_deadline(seconds),
            self._client.stream(method, f"{self.base_url}{path}", params=params, json=json, headers=plain) as response,
        ):
            parts: list[bytes] = []
            size = 0
            for part in response.iter_bytes():
                size += len(part)
                if size > self._max_bytes:
                    raise TooLarge(self._max_bytes)
                parts.append(part)
        took_s = time.monotonic() - started
        url, status = str(response.url), response.status_code
        return Answer(self.upstream, url, status, response.headers, b"".join(parts), took_s, secrets)

    def _no_answer(self, kind: Kind, what: str, reason: Reason | None, took_s: float = 0.0) -> UpstreamError:
        return UpstreamError(self.upstream, kind, f"{self.upstream} {what}.", took_s=took_s, reason=reason)


def _hidden(value: str | SecretStr) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(value)

"""How we talk HTTP to an upstream: one deadline, one size limit, no hidden retry, one family of errors."""

from __future__ import annotations

import json as jsonlib
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx

from services.clients.deadline import remaining
from services.clients.redaction import redact
from services.clients.transport import CONNECT_S, DeadlineTransport, call_deadline
from services.errors import Unavailable

CALL_S = 8.0
MAX_BYTES = 4_000_000
USER_AGENT = "release-cockpit/1"


class Kind(StrEnum):
    """The ways in which an upstream fails us; each means something else to the person who has to mend it."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    RATE_LIMITED = "rate-limited"
    PAUSED = "paused"
    QUOTA = "quota"
    SERVER_ERROR = "server-error"
    NOT_UNDERSTOOD = "not-understood"


_KIND_DOES: Mapping[Kind, str] = {
    Kind.UNREACHABLE: "Check the address in the settings and whether the service runs.",
    Kind.TIMEOUT: "Look at the service's load and its status page, then run the check again.",
    Kind.UNAUTHORISED: "Replace the key of this target in the settings.",
    Kind.FORBIDDEN: "Give the key of this target the missing right.",
    Kind.MISSING: "Check the address and the ids in the settings.",
    Kind.RATE_LIMITED: "Wait until the limit is lifted; nothing is retried in secret.",
    Kind.PAUSED: "Wake the project in its dashboard.",
    Kind.QUOTA: "Look at the billing page of the account.",
    Kind.SERVER_ERROR: "Look at the service's own logs and its status page.",
    Kind.NOT_UNDERSTOOD: "Open the address in a browser and see what answers there.",
}


class UpstreamError(Unavailable):
    """A call to an upstream that gave no usable answer.

    upstream: "pulsecheck", "railway", ...; kind: what went wrong; status: the HTTP status where there was one;
    code: the other side's own code ("42501", "insufficient_quota"); detail: its words, redacted and short;
    took_s: how long we waited.
    """

    def __init__(
        self,
        upstream: str,
        kind: Kind,
        what: str,
        *,
        status: int | None = None,
        code: str | None = None,
        detail: str = "",
        took_s: float = 0.0,
    ) -> None:
        super().__init__(redact(what), "The state of this service is not known.", _KIND_DOES[kind])
        self.upstream = upstream
        self.kind = kind
        self.status = status
        self.code = code
        self.detail = redact(detail)[:300]
        self.took_s = took_s


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, lower-case headers, body, and the seconds it took."""

    upstream: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON; raises UpstreamError(not-understood) for HTML, broken JSON or nothing."""
        try:
            return jsonlib.loads(self.body)
        except ValueError:
            looks = "a web page" if self.body.lstrip()[:1] == b"<" else "something else"
            raise UpstreamError(
                self.upstream,
                Kind.NOT_UNDERSTOOD,
                f"{self.upstream} answered {self.status} with {looks} where JSON was expected.",
                status=self.status,
                took_s=self.took_s,
            ) from None

    def expect(self, *statuses: int) -> Answer:
        """This answer where its status is 2xx or one of `statuses`; else raises UpstreamError with its kind."""
        if self.ok or self.status in statuses:
            return self
        raise failure(self)


def kind_of(status: int) -> Kind:
    """The kind of failure that an HTTP status stands for, before the body is looked at."""
    known = {401: Kind.UNAUTHORISED, 402: Kind.QUOTA, 403: Kind.FORBIDDEN, 404: Kind.MISSING, 405: Kind.MISSING}
    known |= {408: Kind.TIMEOUT, 429: Kind.RATE_LIMITED, 504: Kind.TIMEOUT, 540: Kind.PAUSED, 544: Kind.TIMEOUT}
    if status in known:
        return known[status]
    return Kind.SERVER_ERROR if status >= 500 else Kind.NOT_UNDERSTOOD


def failure(answer: Answer, kind: Kind | None = None) -> UpstreamError:
    """The error for an answer with a failing status; the other side's words go, redacted, into `detail`."""
    found = kind or kind_of(answer.status)
    said = message_in(answer)
    return UpstreamError(
        answer.upstream,
        found,
        f"{answer.upstream} answered {answer.status} ({found.value})" + (f": {said}" if said else "") + ".",
        status=answer.status,
        detail=said,
        took_s=answer.took_s,
    )


def message_in(answer: Answer) -> str:
    """What the other side says went wrong, from the usual places of a JSON body; '' where it says nothing."""
    try:
        body = jsonlib.loads(answer.body)
    except ValueError:
        return ""
    for key in ("message", "detail", "error", "msg", "error_description"):
        value = body.get(key) if isinstance(body, dict) else None
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str) and value:
            return redact(value)[:300]
    return ""


class HttpClient:
    """Calls to one upstream. `request` returns any answer; it raises UpstreamError only where there is none.

    Its connections are closed by `close`, or when nobody holds the client any more.
    """

    def __init__(
        self,
        upstream: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        call_s: float = CALL_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.upstream = upstream
        self.base_url = base_url.rstrip("/")
        self._call_s = call_s
        self._max_bytes = max_bytes
        self._client = httpx.Client(
            headers={"user-agent": USER_AGENT, "accept": "application/json", **(headers or {})},
            timeout=httpx.Timeout(call_s, connect=CONNECT_S),
            follow_redirects=False,
            transport=DeadlineTransport(),
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
        headers: Mapping[str, str] | None = None,
        call_s: float | None = None,
    ) -> Answer:
        """One call, no retry; a redirect is an answer, never followed. Raises UpstreamError for no answer at all."""
        seconds = remaining(self._call_s if call_s is None else call_s)
        started = time.monotonic()
        if seconds <= 0:
            raise self._no_answer(Kind.TIMEOUT, "was not asked: the time for this check is used up", started)
        url = f"{self.base_url}{path}"
        try:
            with (
                call_deadline(seconds),
                self._client.stream(method, url, params=params, json=json, headers=headers) as response,
            ):
                body = self._read(response, started)
        except httpx.TimeoutException:
            raise self._no_answer(Kind.TIMEOUT, f"gave no answer within {seconds:.1f} s", started) from None
        except httpx.ConnectError:
            raise self._no_answer(Kind.UNREACHABLE, "cannot be reached", started) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            broke = f"broke the connection off ({type(error).__name__})"
            raise self._no_answer(Kind.UNREACHABLE, broke, started) from None
        return Answer(
            self.upstream, str(response.url), response.status_code, response.headers, body, time.monotonic() - started
        )

    def _read(self, response: httpx.Response, started: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_bytes():
            size += len(part)
            if size > self._max_bytes:
                raise self._no_answer(
                    Kind.NOT_UNDERSTOOD, f"sent more than {self._max_bytes} bytes, which is not read on", started
                )
            parts.append(part)
        return b"".join(parts)

    def _no_answer(self, kind: Kind, what: str, started: float) -> UpstreamError:
        return UpstreamError(self.upstream, kind, f"{self.upstream} {what}.", took_s=time.monotonic() - started)

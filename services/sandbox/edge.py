"""The platform's front door: one address, answered by whichever deployment serves, and a log of the requests."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import httpx
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from services.sandbox.disturbance import BEGAN

UPSTREAM_TIMEOUT_S = 60.0
LOGGED_REQUESTS = 10_000
NO_ANSWER_PAGE = (
    "<!DOCTYPE html><html><head><title>Application failed to respond</title></head><body>"
    "<h1>Application failed to respond</h1><p>This error appears to be caused by the application.</p>"
    "<p>If this is your project, check out your deploy logs to see what went wrong.</p>"
    "<p>Request ID: {request_id}</p></body></html>"
)
_NOT_FORWARDED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where requests go now."""

    deployment_id: str
    instance_id: str
    port: int


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request that came through the door; durations in milliseconds."""

    timestamp: datetime
    request_id: str
    method: str
    path: str
    status: int
    total_ms: int
    upstream_ms: int
    details: str
    deployment_id: str
    instance_id: str


class Edge:
    """An ASGI app. What it answers by itself is logged too: where nothing serves, under the deployment that did last.

    upstream: tells where requests go, None = nothing serves
    """

    def __init__(self, upstream: Callable[[], Upstream | None], clock: Callable[[], datetime]) -> None:
        self._upstream = upstream
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._last: Upstream | None = None
        self.requests: deque[LoggedRequest] = deque(maxlen=LOGGED_REQUESTS)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        now, request_id = self._clock(), uuid4().hex
        started = scope.get(BEGAN) or time.monotonic()
        response, details, upstream = await self._forward(request, request_id)
        took_ms = round((time.monotonic() - started) * 1000)
        if upstream is not None:
            self._log(request, request_id, now, response.status_code, took_ms, details, upstream)
        await response(scope, receive, send)

    def _log(
        self,
        request: Request,
        request_id: str,
        now: datetime,
        status: int,
        took_ms: int,
        details: str,
        upstream: Upstream,
    ) -> None:
        self.requests.append(
            LoggedRequest(
                timestamp=now,
                request_id=request_id,
                method=request.method,
                path=request.url.path,
                status=status,
                total_ms=took_ms,
                upstream_ms=0 if details else took_ms,
                details=details,
                deployment_id=upstream.deployment_id,
                instance_id=upstream.instance_id,
            )
        )

    def note(self, request: Request, status: int, took_s: float) -> None:
        """Log a request that was answered before it came here, as if the serving deployment had answered so."""
        if (upstream := self._upstream() or self._last) is not None:
            self._log(request, uuid4().hex, self._clock(), status, round(took_s * 1000), "", upstream)

    async def _forward(self, request: Request, request_id: str) -> tuple[Response, str, Upstream | None]:
        upstream = self._upstream()
        if upstream is None:
            return _no_answer(request_id), "no deployment serves", self._last
        self._last = upstream
        headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_FORWARDED]
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            answer = await self._http().request(
                request.method,
                f"http://127.0.0.1:{upstream.port}{request.url.path}{query}",
                headers=[*headers, ("accept-encoding", "identity"), ("x-railway-request-id", request_id)],
                content=await request.body(),
            )
        except httpx.HTTPError as error:
            return _no_answer(request_id), f"no answer from the application ({type(error).__name__})", upstream
        response = Response(answer.content, status_code=answer.status_code)
        response.raw_headers = [
            *(
                (name.lower(), value)
                for name, value in answer.headers.raw
                if name.lower().decode() not in _NOT_FORWARDED
            ),
            (b"content-length", str(len(answer.content)).encode()),
            (b"x-railway-request-id", request_id.encode()),
        ]
        return response, "", upstream

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            # A connection is not kept: its other end may be a deployment that has just been replaced.
            limits = httpx.Limits(max_keepalive_connections=0)
            self._client = httpx.AsyncClient(timeout=UPSTREAM_TIMEOUT_S, limits=limits, trust_env=False)
        return self._client


def _no_answer(request_id: str) -> Response:
    return HTMLResponse(
        NO_ANSWER_PAGE.format(request_id=request_id),
        status_code=502,
        headers={"x-railway-fallback": "true", "x-railway-request-id": request_id},
    )

"""What can go wrong between a caller and a served part: doors in front of the parts, and disturbances in the doors."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.sandbox.serving import Serving

KEPT_CALLS = 10_000
BEGAN = "sandbox.began"
"""Where a request's scope tells the part behind the door when it came in, by the monotonic clock."""

WEB_PAGE = (
    "<!DOCTYPE html><html><head><title>Welcome</title></head>"
    "<body><h1>Welcome</h1><p>Please accept the terms of this network to go on.</p></body></html>"
)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing listens: the port refuses every connection, whatever the disturbance matches."""


@dataclass(frozen=True, slots=True)
class Hang:
    """The request is accepted and not answered until the disturbance is taken away; then it is answered."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The request is answered `seconds` later. Several delays add up."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """This answer instead of the part's own: the part never sees the request."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, body: Any, **headers: str) -> Reply:
        """headers: by name, with _ for - (retry_after="30")."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(body).encode(), headers=named)

    @classmethod
    def page(cls, status: int = 200, text: str = WEB_PAGE) -> Reply:
        """A web page where something else was asked for."""
        return cls(status, text.encode(), "text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class LoseReply:
    """The part does its work, and the connection ends before its answer."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The part's JSON ends in the middle, under the status it has."""


Effect = Refuse | Hang | Delay | Reply | LoseReply | Cut

# Of several that match one request, the one that leaves the least of the answer decides.
_STRONGEST_FIRST = (Hang, Reply, LoseReply, Cut)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """An effect on the requests that match.

    methods: of these methods; none = of every method
    paths:   of these paths and what lies below them; a path that ends with / = only below it; none = of every path
    header:  with this header (name in lower case, whole value); None = whatever the headers
    """

    effect: Effect
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    header: tuple[str, str] | None = None

    def matches(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        if self.methods and method not in self.methods:
            return False
        if self.paths and not any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in self.paths):
            return False
        return self.header is None or headers.get(self.header[0]) == self.header[1]


def bearer(token: str) -> tuple[str, str]:
    """The header that carries this token, for `Disturbance.header`."""
    return "authorization", f"Bearer {token}"


@dataclass(slots=True)
class Call:
    """One request at a door. status: of the answer that the caller was given; None while or where there is none."""

    method: str
    path: str
    status: int | None = None

    def noting(self, send: Send) -> Send:
        """A `send` that writes the status down on its way."""

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            await send(message)

        return noted


Noticed = Callable[[Request, int, float], None]


class Door:
    """An ASGI app in front of another one, and where it listens. Each disturbance is held under an id of its own,
    so that several may be held at once and be taken away in any order.

    app:     the part behind the door
    noticed: told of each answer that the door gave by itself: the request, the status, and the seconds it took
    delay_s: how much later every request is answered, in seconds
    calls:   the newest requests, oldest first, whatever became of them
    Use from one event loop. Without `open` it serves no port: then `Refuse` and `LoseReply` cannot be held.
    """

    def __init__(self, app: ASGIApp, *, noticed: Noticed | None = None) -> None:
        self.delay_s = 0.0
        self.calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self._app = app
        self._noticed = noticed
        self._held: dict[str, Disturbance] = {}
        self._changed = asyncio.Event()
        self._serving: Serving | None = None

    def open(self, listening: socket.socket) -> None:
        """Serve on a socket that listens."""
        self._serving = Serving(self, listening)

    async def ready(self) -> None:
        """Wait until the door answers on its port, or refuses there."""
        if self._serving is not None:
            await self._serving.ready()

    async def close(self) -> None:
        """Let go what hangs and stop serving; a port that refuses is not opened for it."""
        self._held.clear()
        self._let_go()
        if self._serving is not None:
            await self._serving.close()

    def add(self, name: str, disturbance: Disturbance) -> None:
        """Hold a disturbance under an id, in place of the one held under it before. In effect on return."""
        self._held[name] = disturbance
        self._settle()

    def remove(self, name: str) -> None:
        """Let go what is held under an id; nothing held there is no error."""
        if self._held.pop(name, None) is not None:
            self._settle()

    def clear(self) -> None:
        """Forget every disturbance and the delay."""
        self._held.clear()
        self.delay_s = 0.0
        self._settle()

    def holds(self, name: str) -> bool:
        return name in self._held

    def _let_go(self) -> None:
        """Have every request that hangs look again at what is held."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _settle(self) -> None:
        self._let_go()
        if self._serving is not None:
            refusing = any(isinstance(one.effect, Refuse) for one in self._held.values())
            (self._serving.refuse if refusing else self._serving.listen)()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        self.calls.append(call := Call(scope["method"], scope["path"]))
        send = call.noting(send)
        if not self._held and not self.delay_s:
            return await self._app(scope, receive, send)
        return await self._disturbed(scope, _Replayed(receive), send)

    async def _disturbed(self, scope: Scope, receive: _Replayed, send: Send) -> None:
        began = time.monotonic()
        scope = {**scope, BEGAN: began}
        await receive.read()
        matching = self._matching(scope)
        await asyncio.sleep(self.delay_s + sum(one.seconds for one in matching if isinstance(one, Delay)))
        effect = self._strongest(scope)
        while isinstance(effect, Hang):
            if not await receive.still_there_when(self._changed):
                return
            effect = self._strongest(scope)
        if isinstance(effect, Reply):
            # Before the caller has it: whoever has been answered finds it in the log.
            if self._noticed is not None:
                self._noticed(Request(scope), effect.status, time.monotonic() - began)
            await _response(effect)(scope, receive, send)
        elif isinstance(effect, LoseReply):
            await self._app(scope, receive, _lost)
            await self._drop(scope, receive)
        elif isinstance(effect, Cut):
            await self._app(scope, receive, _Cutting(send))
        else:
            await self._app(scope, receive, send)

    def _matching(self, scope: Scope) -> list[Effect]:
        """What concerns this request, in the order of the ids: the order of adding must not matter."""
        request = Request(scope)
        return [
            one.effect
            for _, one in sorted(self._held.items())
            if one.matches(request.method, request.url.path, request.headers)
        ]

    def _strongest(self, scope: Scope) -> Effect | None:
        found = [one for one in self._matching(scope) if isinstance(one, _STRONGEST_FIRST)]
        return min(found, key=lambda one: _STRONGEST_FIRST.index(type(one)), default=None)

    async def _drop(self, scope: Scope, receive: Receive) -> None:
        assert self._serving is not None, "a door that serves no port has no connection to end"
        self._serving.drop(scope["client"])
        while (await receive())["type"] != "http.disconnect":
            pass


class _Replayed:
    """A request's messages, read once and given again to whoever answers it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    async def read(self) -> None:
        """Read the whole body: a caller that is still sending has not asked yet."""
        more = True
        while more:
            self._messages.append(await self._receive())
            more = self._messages[-1].get("more_body", False)

    async def __call__(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()

    async def still_there_when(self, event: asyncio.Event) -> bool:
        """Wait for the event (True) or for the caller to go (False)."""
        gone = asyncio.ensure_future(self._receive())
        happened = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({gone, happened}, return_when=asyncio.FIRST_COMPLETED)
            return not gone.done()
        finally:
            gone.cancel()
            happened.cancel()


class _Cutting:
    """Passes an answer on with half of its JSON; an answer of another kind, or without a body, whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = self._body
        headers = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
        if body and any(name.lower() == b"content-type" and b"json" in value for name, value in headers):
            body = body[: len(body) // 2] if body[:1] in (b"{", b"[") else b"{"
            headers.append((b"content-length", str(len(body)).encode()))
        else:
            headers = self._start["headers"]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


async def _lost(_: Message) -> None:
    """Where an answer goes that nobody gets."""


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), reply.media_type)

"""What every HTTP and WebSocket exchange must pass: host, origin, closed paths, security headers, the page shell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected

from dashboard.edge.shell import Shell

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSED_PATHS = ("/_stcore/metrics", "/_stcore/agent", "/_stcore/script-health-check", "/_stcore/upload_file")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": that turns the Origin of our own forms into "null", and the origin check refuses it.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def is_same_origin(headers: Headers) -> bool:
    """True when the Origin header names the host that the request was sent to; a missing Origin is not."""
    origin = headers.get("origin")
    return bool(origin) and urlsplit(origin or "").netloc.lower() == headers.get("host", "").lower()


def host_name(headers: Headers) -> str:
    """The host of the Host header without its port, lower case."""
    return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()


class Guard:
    """ASGI middleware around everything, Streamlit's own routes included.

    allowed_hosts: called at each request, so that it is the configured list and not a copy of it; empty means any.
    """

    def __init__(self, app: ASGIApp, *, shell: Shell, allowed_hosts: Callable[[], Iterable[str]]) -> None:
        self.app = app
        self.shell = shell
        self.allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        # A client without Origin is no browser and carries nobody's cookie by accident.
        if self._is_foreign_host(headers) or ("origin" in headers and not is_same_origin(headers)):
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "foreign origin"})
            return
        # Streamlit closes a connection that the browser has closed already; that is nobody's error.
        with suppress(WebSocketDisconnected):
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, self._with_headers(scope, headers, send))
            return
        await self.app(scope, receive, self._with_headers(scope, headers, send))

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        if self._is_foreign_host(headers):
            return PlainTextResponse(
                "This name is not one we answer to. Add it to server.allowedHosts in .streamlit/config.toml.\n", 421
            )
        if scope["path"].startswith(CLOSED_PATHS):
            return PlainTextResponse("There is nothing here.\n", 404)
        if scope["method"] not in SAFE_METHODS and not is_same_origin(headers):
            return PlainTextResponse(
                "This request did not come from our own pages, so nothing was done. Open the page and try again.\n",
                403,
            )
        return None

    def _is_foreign_host(self, headers: Headers) -> bool:
        allowed = {host.lower() for host in self.allowed_hosts()}
        return bool(allowed) and host_name(headers) not in allowed

    def _with_headers(self, scope: Scope, request: Headers, send: Send) -> Send:
        replaced = False

        async def wrapped(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                response = MutableHeaders(raw=list(message["headers"]))
                for name, value in HEADERS.items():
                    response[name] = value
                replaced = message["status"] == 200 and self._is_shell(scope, response)
                if replaced:
                    response = self._shell_headers(request)
                elif "content-security-policy" not in response:
                    response["Content-Security-Policy"] = self.shell.policy
                message = {**message, "headers": response.raw}
            elif message["type"] == "http.response.body" and replaced:
                if message.get("more_body", False):
                    return
                body = self.shell.compressed if _takes_gzip(request) else self.shell.html
                message = {**message, "body": b"" if scope["method"] == "HEAD" else body, "more_body": False}
            await send(message)

        return wrapped

    @staticmethod
    def _is_shell(scope: Scope, response: MutableHeaders) -> bool:
        """Streamlit answers every path that is no file with its index.html; our own pages bring their own policy."""
        is_html = response.get("content-type", "").startswith("text/html")
        return is_html and "content-security-policy" not in response and scope["method"] in {"GET", "HEAD"}

    def _shell_headers(self, request: Headers) -> MutableHeaders:
        body = self.shell.compressed if _takes_gzip(request) else self.shell.html
        fields = {
            **HEADERS,
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": self.shell.policy,
            "Cache-Control": "no-store",
            "Vary": "Accept-Encoding",
        }
        if _takes_gzip(request):
            fields["Content-Encoding"] = "gzip"
        return MutableHeaders(fields)


def _takes_gzip(headers: Headers) -> bool:
    return "gzip" in headers.get("accept-encoding", "")

"""What every HTTP and WebSocket exchange must pass: host, origin, closed paths, security headers, the page shell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected

from dashboard.edge.shell import Shell

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSED_PATHS = (
    "/_stcore/metrics",
    "/_stcore/agent",
    "/_stcore/script-health-check",
    "/_stcore/upload_file",
    # Streamlit's own sign-in, whose cookie would be a second kind of session beside ours (docs/sign-in.md).
    "/auth/login",
    "/auth/logout",
    "/oauth2callback",
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": that turns the Origin of our own forms into "null", and the origin check refuses it.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who may reach us and by which names.

    hosts: the names we answer to, none: any; public_url: the address of ours that browsers elsewhere use; open: whether
    others than this machine are meant to reach us
    """

    hosts: frozenset[str]
    public_url: str | None = None
    open: bool = False


def is_same_origin(headers: Headers, public_url: str | None = None) -> bool:
    """True when the Origin header names the host that the request was sent to, or is that of our public address, which
    a proxy may have put another host's name in place of; a missing Origin is not."""
    origin = headers.get("origin", "").lower()
    if public_url is not None and origin:
        public = urlsplit(public_url.lower())
        if origin == f"{public.scheme}://{public.netloc}":
            return True
        if public.scheme == "https" and host_name(headers) == public.hostname:
            # By that name we are reached in one way only; the same name without TLS is somebody else's page.
            return False
    return bool(origin) and urlsplit(origin).netloc == headers.get("host", "").lower()


def host_name(headers: Headers) -> str:
    """The host of the Host header without its port, lower case."""
    return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()


class Guard:
    """ASGI middleware around everything, Streamlit's own routes included.

    surroundings: called at each request, so that they are those of the settings and not a copy of them
    """

    def __init__(self, app: ASGIApp, *, shell: Shell, surroundings: Callable[[], Surroundings]) -> None:
        self.app = app
        self.shell = shell
        self.surroundings = surroundings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, around = Headers(scope=scope), self.surroundings()
        # A client without Origin is no browser and carries nobody's cookie by accident.
        foreign = "origin" in headers and not is_same_origin(headers, around.public_url)
        if foreign or _is_foreign_host(headers, around) or _is_stranger(scope, around):
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
        around = self.surroundings()
        if _is_stranger(scope, around):
            return PlainTextResponse(
                "This dashboard serves the machine that it runs on. To open it to others, see docs/sign-in.md.\n", 403
            )
        if _is_foreign_host(headers, around):
            return PlainTextResponse(
                "This name is not one we answer to. Set OPS_PUBLIC_URL to the address under which we are reached.\n",
                421,
            )
        if scope["path"].startswith(CLOSED_PATHS):
            return PlainTextResponse("There is nothing here.\n", 404)
        if scope["method"] not in SAFE_METHODS and not is_same_origin(headers, around.public_url):
            return PlainTextResponse(
                "This request did not come from our own pages, so nothing was done. Open the page and try again.\n",
                403,
            )
        return None

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


def _is_foreign_host(headers: Headers, around: Surroundings) -> bool:
    return bool(around.hosts) and host_name(headers) not in around.hosts


def _is_stranger(scope: Scope, around: Surroundings) -> bool:
    """Whether a request comes from another machine though none is meant to reach us: whoever started this server
    listens more widely than the settings say, and nobody looked whether that is safe."""
    client = scope.get("client")
    if around.open or client is None:
        return False
    try:
        return not ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _takes_gzip(headers: Headers) -> bool:
    return "gzip" in headers.get("accept-encoding", "")

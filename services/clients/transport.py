"""A connection pool whose reads and writes obey one total deadline, however slowly the other side drips."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any

import httpcore
import httpx

from services.clients.first_contact import first_contact
from services.clients.metering import one_call

CONNECT_S = 2.0
MAX_BYTES = 4_000_000
_OF_HTTPCORE = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)
_call_ends: ContextVar[float | None] = ContextVar("call_ends", default=None)


class TooLarge(httpx.TransportError):
    """The body is longer than we read; limit: how many bytes that is."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


@contextmanager
def call_deadline(seconds: float) -> Iterator[None]:
    """Connections used inside time out when `seconds` in all have passed, not per read; or with the deadline around."""
    outer, inner = _call_ends.get(), time.monotonic() + seconds
    token = _call_ends.set(inner if outer is None else min(inner, outer))
    try:
        yield
    finally:
        _call_ends.reset(token)


def _left(timeout: float | None) -> float | None:
    ends = _call_ends.get()
    if ends is None:
        return timeout
    left = ends - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline of the call has passed")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A network stream that asks for the time left before every read and write."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _addresses(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of a name within `seconds`, the preferred first: a silent DNS server keeps no deadline."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        answers: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(place[4][0]) for place in places)))
        except OSError as error:
            answers.put(error)
        except UnicodeError:
            answers.put(socket.gaierror(socket.EAI_NONAME, "not a name"))

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        found = answers.get(timeout=max(0.0, seconds))
    except Empty:
        raise httpcore.ConnectTimeout("the name was not looked up in time") from None
    if not isinstance(found, OSError):
        return found
    try:
        raise found
    except OSError as error:
        # The pool takes an error's cause away; what was being handled stays with it.
        raise httpcore.ConnectError("the name has no address") from error


class _Backend(httpcore.NetworkBackend):
    """Opens streams that know the deadline; a connection may take CONNECT_S at most."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        ends = time.monotonic() + (_left(CONNECT_S if timeout is None else min(timeout, CONNECT_S)) or 0.0)
        addresses = _addresses(host, port, ends - time.monotonic())
        for number, address in enumerate(addresses):
            share = max(0.05, ends - time.monotonic()) / (len(addresses) - number)
            try:
                return _Stream(self._inner.connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses) - 1:
                    raise
        raise httpcore.ConnectError("the name has no address")

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


@contextmanager
def _in_words_of_httpx() -> Iterator[None]:
    try:
        yield
    except _OF_HTTPCORE as error:
        same: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise same(str(error)) from error


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes], max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        with _in_words_of_httpx():
            for part in self._stream:
                size += len(part)
                if size > self._max_bytes:
                    raise TooLarge(self._max_bytes)
                yield part

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: the bundle takes tens of milliseconds, and every client uses the same."""
    return httpx.create_ssl_context()


@contextmanager
def _heard_of(url: httpx.URL) -> Iterator[None]:
    """One call as a contact: the first one to a place has little time, and none follows one that hung."""
    part = url.path.strip("/").partition("/")[0]
    origin = f"{url.scheme}://{url.netloc.decode()}"
    with (
        first_contact(origin, part, httpx.TimeoutException, httpx.ConnectError) as seconds,
        nullcontext() if seconds is None else call_deadline(seconds),
    ):
        yield


class DeadlineTransport(httpx.BaseTransport):
    """The transport of every client of ours; also handed to packages, so that they obey the same deadlines and sizes.

    max_bytes: how much of a body is read, as it comes over the line
    packed: whether a body may come compressed; no where nobody counts what it unpacks to
    """

    def __init__(self, max_bytes: int = MAX_BYTES, *, packed: bool = True) -> None:
        self._max_bytes = max_bytes
        self._packed = packed
        self._pool = httpcore.ConnectionPool(
            ssl_context=_certificates(),
            max_connections=32,
            max_keepalive_connections=16,
            keepalive_expiry=5.0,
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        if not self._packed:
            request.headers["accept-encoding"] = "identity"
        with _heard_of(request.url), one_call(str(request.url)), _in_words_of_httpx():
            answer = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        assert isinstance(answer.stream, Iterable)
        response = httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream, self._max_bytes),
            extensions=answer.extensions,
        )
        if not self._packed and response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise httpx.DecodingError("a packed body came though none was asked for")
        return response

    def close(self) -> None:
        self._pool.close()

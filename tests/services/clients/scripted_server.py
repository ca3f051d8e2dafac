"""A real server on the loopback that does whatever a test says: answer anything, or fail in any way a network can."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Act = Callable[[socket.socket, threading.Event], None]


@dataclass
class Seen:
    """A request as it came over the line."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Every connection is answered by `act`, one request each. seen: the requests, the newest last."""

    act: Act | None = None
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def does(self, act: Act) -> str:
        """From now on every connection ends so; the server's address."""
        self._over.set()
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()
        self.seen.clear()
        self._over = threading.Event()
        self.act = act
        return self.url

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in [self._accepting, *self._threads]:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection, self.act, self._over), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, act: Act | None, over: threading.Event) -> None:
        with connection:
            try:
                connection.settimeout(5)
                request = _read(connection)
                if request is not None and act is not None:
                    self.seen.append(request)
                    act(connection, over)
            except OSError:
                return


def _read(connection: socket.socket) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    method, target, _ = first.split(" ")
    return Seen(method, target, headers, body)


def answers(
    body: Any, status: int = 200, content_type: str = "application/json", headers: dict[str, str] | None = None
) -> Act:
    """An answer: bytes and texts as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = (
        f"HTTP/1.1 {status} Whatever\r\ncontent-type: {content_type}\r\ncontent-length: {len(raw)}\r\n"
        f"{more}connection: close\r\n\r\n"
    )

    def act(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(head.encode() + raw)

    return act


def says(raw: bytes) -> Act:
    def act(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(raw)

    return act


def hangs(_: socket.socket, over: threading.Event) -> None:
    over.wait(20)


def resets(connection: socket.socket, _: threading.Event) -> None:
    """The line is cut with a reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes(_connection: socket.socket, _over: threading.Event) -> None:
    """The line ends in good order before a word is said."""


def drips(connection: socket.socket, over: threading.Event) -> None:
    """A good beginning, then one byte every 20 ms: never silent for long, never done."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n[")
    while not over.wait(0.02):
        connection.sendall(b" ")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

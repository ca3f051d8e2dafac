"""Knows how to stand between a client and its server, and to cut what goes through, also in the middle of COMMIT."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_COMMIT = b"COMMIT\x00"
_NOTICED_AFTER_S = 0.3
"""A client whose peer is gone without a word learns of it by keep-alive, after some seconds; here it is sooner."""


@dataclass(eq=False)
class _Pair:
    client: socket.socket
    server: socket.socket
    one_sided: threading.Event = field(default_factory=threading.Event)


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _close(end)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        end.close()


class Proxy:
    """Listens on `port` and passes all on to the server's; `cut` ends what is open, new connections go through.

    at_commit: "before" the server hears of the nth COMMIT, in the middle of it ("torn"), or "after" it was passed on,
    both ends are cut once; `tripped` is set then.
    """

    def __init__(self, server_port: int, at_commit: str | None = None, nth: int = 1) -> None:
        self._server_port = server_port
        self._at_commit = at_commit
        self._commits_left = nth
        self._pairs: list[_Pair] = []
        self._guard = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.tripped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def cut(self, which: str) -> bool:
        """Cut everything that is open now: "client" (the server is not told), "server" (the client learns of it a
        little later), "both". Returns whether anything was open."""
        with self._guard:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.one_sided.set()
            if which == "client":
                _reset(pair.client)
                with self._guard:
                    self._pairs.append(pair)  # its server's end stays open until we close
            elif which == "server":
                _close(pair.server)
                late = threading.Timer(_NOTICED_AFTER_S, _close, [pair.client])
                late.start()
                self._threads.append(late)
            else:
                _reset(pair.client)
                _reset(pair.server)
        return bool(pairs)

    def close(self) -> None:
        """End all."""
        _close(self._listener)
        with self._guard:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _close(pair.client)
            _close(pair.server)
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port), 5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            pair = _Pair(client, server)
            with self._guard:
                self._pairs.append(pair)
            self._start(lambda pair=pair: self._pump(pair, pair.client, pair.server))  # type: ignore[misc]
            self._start(lambda pair=pair: self._pump(pair, pair.server, pair.client))  # type: ignore[misc]

    def _pump(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source is pair.client and self._at_commit is not None and _COMMIT in data:
                    self._commits_left -= 1
                    if self._commits_left == 0:
                        self._commit_comes(data, sink)
                        return
                sink.sendall(data)
        if not pair.one_sided.is_set():
            _close(pair.client)
            _close(pair.server)

    def _commit_comes(self, data: bytes, server: socket.socket) -> None:
        mode, self._at_commit = self._at_commit, None
        if mode == "after":
            server.sendall(data)
        elif mode == "torn":
            server.sendall(data[: len(data) // 2])
        self.cut("both")
        self.tripped.set()

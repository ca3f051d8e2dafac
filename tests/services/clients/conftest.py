"""Servers that misbehave: one that drips, one that never answers, one that breaks off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

Behaviour = Callable[[socket.socket, threading.Event], None]
StartServer = Callable[[Behaviour], str]


@pytest.fixture
def misbehaving() -> Iterator[StartServer]:
    """`misbehaving(behaviour)` serves every connection with it and returns the address."""
    over = threading.Event()
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(listener: socket.socket, behaviour: Behaviour) -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    behaviour(connection, over)
                except OSError:
                    continue

    def start(behaviour: Behaviour) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        thread = threading.Thread(target=serve, args=(listener, behaviour), daemon=True)
        thread.start()
        threads.append(thread)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    over.set()
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(timeout=5)


def drip(connection: socket.socket, over: threading.Event) -> None:
    """One byte of a good answer every 50 ms: never silent for long, never done."""
    for byte in b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-filler: " + b"a" * 10_000:
        if over.wait(0.05):
            return
        connection.sendall(bytes([byte]))


def silence(_connection: socket.socket, over: threading.Event) -> None:
    over.wait(20)


def break_off(connection: socket.socket, _over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")

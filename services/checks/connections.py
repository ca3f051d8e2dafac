"""A run's connections to the target's database: few at the same time, and cut when their time is up."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from services.errors import Unavailable

if TYPE_CHECKING:
    import psycopg

AT_ONCE = 6
"""A session pooler of a small project grants fifteen to everybody together."""

_has_turn: ContextVar[bool] = ContextVar("has_turn", default=False)


class Turns:
    """Who may have a connection now. A check that has one gets a second without waiting, lest checks wait in a ring."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = threading.BoundedSemaphore(at_once)

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Wait for a turn, at most that long. Raises Unavailable where none comes."""
        if _has_turn.get():
            yield
            return
        if not self._free.acquire(timeout=seconds):
            raise Unavailable("The database was not asked: the other checks of this run had all its connections.")
        token = _has_turn.set(True)
        try:
            yield
        finally:
            _has_turn.reset(token)
            self._free.release()


@contextmanager
def cut_after(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """The connection's socket is shut when the time is up: a server that hangs enforces no statement timeout itself."""
    lock, over = threading.Lock(), threading.Event()

    def cut() -> None:
        with lock:
            # After the block the number may belong to somebody else's socket.
            if not over.is_set() and not connection.closed:
                with socket.socket(fileno=os.dup(connection.fileno())) as same:
                    same.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            over.set()

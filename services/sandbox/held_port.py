"""A free port that nobody else is given while a process of ours is on its way to listen there."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A free port of 127.0.0.1, held while the block runs for the one process that is told of it.

    Between the moment a port is found free and the moment a program listens there, another program may get it, and
    would be taken for ours. So it is kept bound, without listening: Linux lets a program listen on it that allows
    the address to be used again, as servers do, and hands it to nobody who asks for any free port. Elsewhere a bound
    port is closed to everybody, and it is only found.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
        if sys.platform != "linux":
            held.close()
        yield port

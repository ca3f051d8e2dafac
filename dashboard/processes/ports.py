"""Ports on the loopback address: which one to take, held from the moment it is chosen."""

from __future__ import annotations

import socket

from services.errors import NotUnderstood, Unavailable

ADDRESS = "127.0.0.1"
FIRST_PORT = 8501
TRIES = 200
BACKLOG = 1024


def listen(wanted: int | None) -> socket.socket:
    """A listening socket on the port asked for, or on the next free one from 8501.

    It is held by the caller and lent to the web process: nobody can take the port while that one starts anew, and
    whoever connects meanwhile waits instead of being refused.
    Raises NotUnderstood where the port asked for is busy or is none, Unavailable where none is free.
    """
    if wanted is not None:
        if not 0 < wanted < 65536:
            raise NotUnderstood(
                f"{wanted} is not a port.", "Nothing was started.", "Give one from 1 to 65535.", place="--port"
            )
        held = _try(wanted)
        if held is None:
            raise NotUnderstood(
                f"Port {wanted} is in use by another program, or may not be used by this account.",
                "Nothing was started.",
                "Give another port, or none: then the next free one is taken.",
                place="--port",
            )
        return held
    for port in range(FIRST_PORT, FIRST_PORT + TRIES):
        held = _try(port)
        if held is not None:
            return held
    raise Unavailable(
        f"No port from {FIRST_PORT} to {FIRST_PORT + TRIES - 1} is free.",
        "Nothing was started.",
        "Name a free one with --port.",
    )


def _try(port: int) -> socket.socket | None:
    # With the protocol named, asyncio switches Nagle's algorithm off on every connection taken from it.
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # As servers do: a connection that is merely fading away does not make the port busy.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((ADDRESS, port))
        held.listen(BACKLOG)
    except OSError:
        held.close()
        return None
    return held

"""Where we listen: which address and port, held from the moment it is chosen, and how we reach ourselves there."""

from __future__ import annotations

import socket

from services.errors import NotUnderstood, Unavailable

ADDRESS = "127.0.0.1"
FIRST_PORT = 8501
TRIES = 200
BACKLOG = 1024


def own_address(host: str) -> str:
    """The address by which this machine reaches what listens on `host`: "any" is no place to go to."""
    return {"0.0.0.0": ADDRESS, "::": "::1", "localhost": ADDRESS}.get(host, host)  # noqa: S104


def shown_address(host: str, port: int, public_url: str | None) -> str:
    """The address that people open: the public one, else how this machine reaches what listens on `host`."""
    own = own_address(host)
    return public_url or f"http://{f'[{own}]' if ':' in own else own}:{port}"


def listen(wanted: int | None, host: str = ADDRESS) -> socket.socket:
    """A listening socket on the port asked for, or on the next free one from 8501. host: the address to listen on.

    It is held by the caller and lent to the web process: nobody can take the port while that one starts anew, and
    whoever connects meanwhile waits instead of being refused.
    Raises NotUnderstood where the port asked for is busy or is none, or the address is not ours, Unavailable where none
    is free.
    """
    bound = ADDRESS if host == "localhost" else host
    _require_ours(bound)
    if wanted is not None:
        if not 0 < wanted < 65536:
            raise NotUnderstood(
                f"{wanted} is not a port.", "Nothing was started.", "Give one from 1 to 65535.", place="--port"
            )
        held = _try(wanted, bound)
        if held is None:
            raise NotUnderstood(
                f"Port {wanted} is in use by another program, or may not be used by this account.",
                "Nothing was started.",
                "Give another port, or none: then the next free one is taken.",
                place="--port",
            )
        return held
    for port in range(FIRST_PORT, FIRST_PORT + TRIES):
        held = _try(port, bound)
        if held is not None:
            return held
    raise Unavailable(
        f"No port from {FIRST_PORT} to {FIRST_PORT + TRIES - 1} is free.",
        "Nothing was started.",
        "Name a free one with --port.",
    )


def _require_ours(host: str) -> None:
    try:
        with _socket(host) as probe:
            probe.bind((host, 0))
    except OSError:
        raise NotUnderstood(
            f"{host} is not an address of this machine.",
            "Nothing was started.",
            f"Listen on {ADDRESS}, or on one that this machine has.",
            place="--host or OPS_HOST",
        ) from None


def _socket(host: str) -> socket.socket:
    # With the protocol named, asyncio switches Nagle's algorithm off on every connection taken from it.
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def _try(port: int, host: str) -> socket.socket | None:
    held = _socket(host)
    # As servers do: a connection that is merely fading away does not make the port busy.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((host, port))
        held.listen(BACKLOG)
    except OSError:
        held.close()
        return None
    return held

"""Serves several ASGI apps in one event loop, each on a loopback port of its own that stays the same between starts."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from services.errors import NotUnderstood
from services.sandbox.keys import write_json

ADDRESS = "127.0.0.1"
_BACKLOG = 256


class Ports:
    """Listening sockets by name.

    kept:   the file that remembers the ports of the last start; they are taken again where they are free
    wanted: ports somebody insists on, by name
    Raises NotUnderstood for a wanted port that is busy.
    """

    def __init__(self, kept: Path, names: tuple[str, ...], wanted: Mapping[str, int]) -> None:
        self._sockets: dict[str, socket.socket] = {}
        last = _read(kept)
        try:
            for name in names:
                self._sockets[name] = _bind(name, wanted.get(name), last.get(name))
        except BaseException:
            self.close()
            raise
        self.numbers = {name: int(one.getsockname()[1]) for name, one in self._sockets.items()}
        write_json(kept, self.numbers)

    def url(self, name: str) -> str:
        return f"http://{ADDRESS}:{self.numbers[name]}"

    def take(self, name: str) -> socket.socket:
        """The socket of a name, now the caller's to close."""
        return self._sockets.pop(name)

    def release(self, name: str) -> int:
        """Free the port for a program that binds it itself; returns its number."""
        self.take(name).close()
        return self.numbers[name]

    def close(self) -> None:
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()


def _read(kept: Path) -> dict[str, int]:
    try:
        values = json.loads(kept.read_bytes())
    except (OSError, ValueError):
        return {}
    return (
        {str(name): port for name, port in values.items() if isinstance(port, int)} if isinstance(values, dict) else {}
    )


def _bind(name: str, wanted: int | None, last: int | None) -> socket.socket:
    for port in (wanted,) if wanted else (last or 0, 0):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((ADDRESS, port))
            one.listen(_BACKLOG)
        except (OSError, OverflowError):
            one.close()
            continue
        return one
    raise NotUnderstood(
        f"The port {wanted} for the sandbox's {name} is busy.",
        "The sandbox was not started.",
        "Name another port, or none: then a free one is taken.",
        place=f"port {wanted}",
    )


class Serving:
    """One ASGI app being served on a socket; close() ends it and the connections it has."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        self._app = app
        self._address = listening.getsockname()
        self._kept: socket.socket | None = None
        self._ended: list[asyncio.Task[None]] = []
        self._begin(listening)

    async def ready(self) -> None:
        """Wait until it answers, where it does not refuse."""
        if self._kept is None:
            await self._server.up.wait()

    def refuse(self) -> None:
        """Close the listening socket and end every connection. The port stays ours: nobody listens."""
        if self._kept is not None:
            return
        self._server.end_at_once(self._listening)
        self._ended.append(self._task)
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(self._address)

    def listen(self) -> None:
        """Serve again on the port that was refused."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.listen(_BACKLOG)
            self._begin(kept)

    def drop(self, client: tuple[str, int]) -> None:
        """End the connection of this caller, whatever it waits for."""
        self._server.drop(client)

    async def close(self) -> None:
        self._server.should_exit = True
        await asyncio.gather(*self._ended, self._task)
        self._listening.close()
        if self._kept is not None:
            self._kept.close()

    def _begin(self, listening: socket.socket) -> None:
        # Connections that still end must not keep the port from being bound again; they have this from the listener.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening = listening
        self._server = _Server(
            uvicorn.Config(
                self._app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listening]))


class _Server(uvicorn.Server):
    """Leaves signals alone: the process belongs to the world, not to one of its servers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if not self.should_exit:
            await super().startup(sockets)
        self.up.set()

    def end_at_once(self, listening: socket.socket) -> None:
        """Stop listening and end every connection before this returns."""
        self.should_exit = True
        if self.started:
            for server in self.servers:
                server.close()
        else:
            listening.close()
        self.drop(None)

    def drop(self, client: tuple[str, int] | None) -> None:
        """End the connection of a caller; None = every connection."""
        for one in list(self.server_state.connections):
            connection: Any = one
            if client is None or connection.client == tuple(client):
                connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def install_signal_handlers(self, *_: Any) -> None:
        return None

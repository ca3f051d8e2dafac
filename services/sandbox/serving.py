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
            one.listen(256)
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
        self._server = _Server(
            uvicorn.Config(
                app,
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

    async def close(self) -> None:
        self._server.should_exit = True
        await self._task


class _Server(uvicorn.Server):
    """Leaves signals alone: the process belongs to the world, not to one of its servers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def install_signal_handlers(self, *_: Any) -> None:
        return None

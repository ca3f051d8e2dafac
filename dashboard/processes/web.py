"""The web process: uvicorn over `dashboard.app:app`, on a listening socket lent by the supervisor."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

import uvicorn

from dashboard import composition
from dashboard.processes.ports import listen, shown_address
from dashboard.processes.signals import StopSignals
from services.access.ways import beyond_loopback, require_safe_exposure


def run_web(descriptor: int) -> int:
    """Serve until SIGINT or SIGTERM. descriptor: of the listening socket; open pages are cut off after a second."""
    os.chdir(composition.ROOT)
    with socket.socket(fileno=descriptor) as listening:
        _Server(_config(), lambda: None).run(sockets=[listening])
    return 0


def serve_web(port: int | None, tell: Callable[[str], None], say: Callable[[str], None]) -> int:
    """Serve by itself, without a worker or a supervisor, until SIGINT, SIGTERM or SIGHUP; returns the exit code.

    port: to listen on, None = the next free one; tell: sentences on the way; say: the address, once, when it answers
    Raises Unavailable without a store, NotUnderstood for a busy port, malformed settings, or where others than this
    machine would reach it without signing in.
    """
    os.chdir(composition.ROOT)
    with StopSignals() as signals:
        settings = composition.settings()
        require_safe_exposure(settings)
        composition.store()
        with listen(port, settings.host) as listening:
            address = shown_address(settings.host, listening.getsockname()[1], settings.public_url)
            if beyond_loopback(settings):
                tell(f"Listening on {settings.host} without TLS: what ends it must be the only way in.")
            server = _Server(_config(), lambda: say(f"Dashboard: {address}"))

            def end() -> None:
                # The server itself knows two signals only.
                signals.event.wait()
                server.should_exit = True

            threading.Thread(target=end, name="wish to stop", daemon=True).start()
            server.run(sockets=[listening])
    return 0 if server.started else 2


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def _config() -> uvicorn.Config:
    return uvicorn.Config(
        "dashboard.app:app",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )

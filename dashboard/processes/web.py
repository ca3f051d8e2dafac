"""The web process: uvicorn over `dashboard.app:app`, on a listening socket lent by the supervisor."""

from __future__ import annotations

import os
import socket

import uvicorn

from dashboard import composition


def run_web(descriptor: int) -> int:
    """Serve until SIGINT or SIGTERM. descriptor: of the listening socket; open pages are cut off after a second."""
    os.chdir(composition.ROOT)
    config = uvicorn.Config(
        "dashboard.app:app",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    with socket.socket(fileno=descriptor) as listening:
        uvicorn.Server(config).run(sockets=[listening])
    return 0

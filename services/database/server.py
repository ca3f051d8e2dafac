"""Starts a Postgres server of our own, quickly, on loopback, and sees to it that it never outlives its owner."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import quote

from services.database.binaries import Binaries, find_binaries, runnable
from services.database.cluster_folder import ClusterFolder, server_account
from services.database.new_cluster import SUPERUSER, server_environment
from services.database.scratch_folder import scratch_folder, scratch_folders
from services.database.watcher import Watched
from services.errors import Unavailable

__all__ = ["SUPERUSER", "THROW_AWAY", "Binaries", "Server", "find_binaries", "scratch_server"]

THROW_AWAY: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Options for data nobody will miss: a crash of the machine may spoil it, and everything is faster."""

_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_SCRATCH = "ops-scratch-"
_KNOWS_ITERATIONS = 16
_SHARED_MEMORY_WAIT_S = 2.0


class Server:
    """A running server; made by `Server.start`. port: where it listens on 127.0.0.1; pid: of its postmaster; cut_off:
    whether it, and all that runs in it, can reach nobody."""

    def __init__(
        self, place: ClusterFolder, binaries: Binaries, port: int, password: str, child: Watched, lock: int
    ) -> None:
        self._place = place
        self._password = password
        self._child = child
        self._lock: int | None = lock
        self.binaries = binaries
        self.port = port
        self.cut_off = child.cut_off

    @classmethod
    def start(
        cls,
        data: Path,
        *,
        binaries: Binaries | None = None,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        deadline_s: float = 30.0,
        cut_off: bool = False,
    ) -> Server:
        """Start a server on the data directory, making it first where there is none.

        data:    beside it lie data.password (0600), data.lock and data.log. As root the server runs as `postgres` or
                 `nobody`; where that account cannot reach the folder, `data` becomes a link to one that it can.
        binaries: default the newest suitable, see `find_binaries`
        port:    default a free one
        options: server settings, given as `-c name=value`
        cut_off: keep all that runs in it from reaching others; `Server.cut_off` tells whether this system can
        Raises Refused (the data is in use, or was made by another major version), Unavailable (it did not start).
        """
        account = server_account()
        programs = runnable(binaries or find_binaries(), account)
        place = ClusterFolder(data.absolute(), account)
        lock = place.lock()
        try:
            password = place.prepare(programs, deadline_s)
            child, chosen = _launch(place, programs, port, options or {}, lock, deadline_s, cut_off=cut_off)
        except BaseException:
            os.close(lock)
            raise
        return cls(place, programs, chosen, password, child, lock)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def data(self) -> Path:
        return self._place.data

    @property
    def log(self) -> Path:
        return self._place.log

    def dsn(self, dbname: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """The address of a database here. user: default the superuser, whose password is filled in by itself."""
        if user is None or user == SUPERUSER:
            user, password = SUPERUSER, self._password
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{quote(user, safe='')}{secret}@127.0.0.1:{self.port}/{quote(dbname, safe='')}"

    def running(self) -> bool:
        return self._child.running()

    def fileno(self) -> int:
        """Becomes readable when the server has ended; for select and event loops."""
        return self._child.fileno()

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast", timeout_s: float = 10.0) -> None:
        """Stop the server, killing it after timeout_s seconds. Stopping twice is no error."""
        self._child.stop(_SIGNALS[mode], timeout_s)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop("immediate")
        self._place.remove()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


@contextmanager
def scratch_server(
    *,
    major: int | None = None,
    binaries: Binaries | None = None,
    options: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    needs_bytes: int | None = None,
) -> Iterator[Server]:
    """A server on a new, empty cluster without fsync, which is deleted when the block is left.

    What is run there by way of trial must not act elsewhere: it is cut off, see `Server.start`.
    needs_bytes: how much it will hold at most, where that is known: see `scratch_folder`.
    What a killed process left behind is swept away by the next one.
    """
    for place in scratch_folders(environ):
        _sweep(place)
    programs = binaries or find_binaries(major, environ=environ)
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=scratch_folder(needs_bytes, environ)))
    folder.chmod(0o711)
    try:
        # What is asked for once a connection adds up, and protects nothing that lasts.
        quick = {"scram_iterations": "1"} if programs.version >= _KNOWS_ITERATIONS else {}
        settings = {**THROW_AWAY, **quick, **(options or {})}
        server = Server.start(folder / "data", binaries=programs, options=settings, cut_off=True)
        try:
            yield server
        finally:
            server.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Delete scratch clusters whose lock nobody holds: their owner was killed, and their server went with it."""
    for left in folder.glob(f"{_SCRATCH}*/data.lock"):
        try:
            with left.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                ClusterFolder(left.parent / "data", server_account()).remove()
                shutil.rmtree(left.parent, ignore_errors=True)
        except OSError:
            continue  # still in use, or another account's: not ours to delete


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _launch(
    place: ClusterFolder,
    programs: Binaries,
    port: int | None,
    options: Mapping[str, str],
    lock: int,
    deadline_s: float,
    *,
    cut_off: bool,
) -> tuple[Watched, int]:
    """Start the postmaster and wait until it is ready; tries again where that can help."""
    deadline = time.monotonic() + deadline_s
    patience = time.monotonic() + _SHARED_MEMORY_WAIT_S
    while True:
        chosen = port or _free_port()
        seen = place.log.stat().st_size if place.log.exists() else 0
        child = Watched(
            [
                *(str(programs.tool("postgres")), "-D", str(place.real)),
                *("-c", "listen_addresses=127.0.0.1", "-c", f"port={chosen}", "-c", "unix_socket_directories="),
                *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
            ],
            log=place.log,
            env=server_environment(programs),
            account=place.account,
            last_signal=signal.SIGINT,
            keep_open=[lock],
            cut_off=cut_off,
        )
        if _ready(place, child, deadline):
            return child, chosen
        child.stop(signal.SIGQUIT)
        with place.log.open("rb") as log:
            log.seek(seen)
            said = log.read().decode(errors="replace")
        left_over = "pre-existing shared memory block" in said or 'lock file "postmaster.pid" already exists' in said
        port_taken = port is None and "could not bind" in said
        if (left_over or port_taken) and time.monotonic() < patience:
            time.sleep(0.05)
            continue
        raise Unavailable(
            f"Postgres did not start: {_reason(said)}.", "No server is running.", "", place=str(place.log)
        )


def _ready(place: ClusterFolder, child: Watched, deadline: float) -> bool:
    """True once line 8 of postmaster.pid says so; False when the server ended or the deadline passed."""
    status = place.real / "postmaster.pid"
    while time.monotonic() < deadline:
        try:
            lines = status.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        if len(lines) >= 8 and lines[0] == str(child.pid) and lines[7].strip() == "ready":
            return True
        if child.wait(0.005):
            return False
    return False


def _reason(log: str) -> str:
    """The first line that tells why, without the time stamp in front of it."""
    for line in log.splitlines():
        for mark in ("FATAL:", "PANIC:", "ERROR:", "postgres:", "cannot be run"):
            if mark in line:
                return line[line.index(mark) if mark.endswith(":") else 0 :].rstrip(".")
    return "it gave no reason in time"

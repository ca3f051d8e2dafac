"""Knows pg_dump and pg_restore: which will do for a server, how they are run and watched, what they complain of."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psycopg

from services.database.binaries import Binaries, find_binaries
from services.database.connect import connection_parameters
from services.database.execution import Cancelled, Stopped
from services.database.watcher import Watched
from services.errors import OpsError, Refused, Unavailable

APPLICATION_NAME = "ops backup"
STALLED_S = 300.0
_TICK_S = 0.2
_KEPT_LINES = 40
_COMPLAINT = re.compile(r"\b(?:error|fatal|panic):|No space left", re.IGNORECASE)

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """Programs that can read a server: `version` is the major of pg_dump and pg_restore."""

    binaries: Binaries
    version: int

    @property
    def pg_dump(self) -> Path:
        return self.binaries.tool("pg_dump")

    @property
    def pg_restore(self) -> Path:
        return self.binaries.tool("pg_restore")


def tools_for(major: int, *, environ: Mapping[str, str] | None = None) -> Tools:
    """pg_dump and pg_restore that are not older than a server of this major version.

    Raises Refused naming both versions where there is none.
    """
    try:
        binaries = find_binaries(major, environ=environ)
    except Unavailable:
        newest = find_binaries(environ=environ)
        raise _older(_tool_version(newest, "pg_dump") or newest.version, major) from None
    versions = {name: _tool_version(binaries, name) for name in ("pg_dump", "pg_restore")}
    for name, version in versions.items():
        if version is None:
            raise Refused(
                f"The folder of the Postgres {binaries.version} programs has no {name} that runs.",
                "No backup can be made or read with them.",
                "Install the client programs of that version, or name another folder in OPS_POSTGRES_BIN.",
                place=str(binaries.bin),
            )
        if version < major:
            raise _older(version, major, name)
    return Tools(binaries, versions["pg_dump"] or binaries.version)


def _older(version: int, major: int, name: str = "pg_dump") -> Refused:
    return Refused(
        f"{name} {version} is older than the server, which is {major}.",
        "Nothing was dumped: an older pg_dump does not know all that a newer server holds.",
        f"Install the client programs of version {major} or newer, or name their folder in OPS_POSTGRES_BIN.",
        place="OPS_POSTGRES_BIN",
    )


def _tool_version(binaries: Binaries, name: str) -> int | None:
    """What the program says of itself: a folder may hold programs of several versions."""
    try:
        told = subprocess.run(
            [str(binaries.tool(name)), "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\b(\d+)(?:\.\d+|devel|beta\d+|rc\d+)", told)
    return int(found.group(1)) if found else None


class Program:
    """pg_dump or pg_restore at work. It goes when we go; its standard error is read as it comes and never stored.

    url:    the database it works on, None for none; its password is neither an argument nor, where the platform can
            keep a file in memory, in the program's environment
    stdin, stdout: descriptors for it, closed here once it runs; told: called with each line it says, from a thread
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        url: str | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        keep_open: Sequence[int] = (),
        told: Told | None = None,
    ) -> None:
        self.name = Path(argv[0]).name
        self._complaints: list[str] = []
        self._told = told
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "OPS_"))}
        environment |= {"LC_ALL": "C"}
        kept = list(keep_open)
        words = list(argv)
        password_file: int | None = None
        if url is not None:
            parts = connection_parameters(url)
            password = parts.pop("password", None)
            parts = {"connect_timeout": "10"} | parts | {"application_name": APPLICATION_NAME}
            words += ["--dbname", psycopg.conninfo.make_conninfo("", **parts)]
            password_file = _lend_password(password, environment)
        if password_file is not None:
            kept.append(password_file)
        said, say = os.pipe()
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            self._child = Watched(
                words,
                log=Path(os.devnull),
                env=environment,
                streams=(nothing if stdin is None else stdin, nothing if stdout is None else stdout, say),
                keep_open=kept,
            )
        except OSError as error:
            os.close(said)
            raise Unavailable(f"{self.name} could not be started.", "Nothing was done.", "Try again.") from error
        finally:
            for descriptor in {say, nothing, stdin, stdout, password_file} - {None}:
                os.close(descriptor)  # type: ignore[arg-type]
        self._listener = threading.Thread(target=self._listen, args=(said,), name=f"{self.name}-says", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def _listen(self, said: int) -> None:
        with os.fdopen(said, "r", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if _COMPLAINT.search(line) and len(self._complaints) < _KEPT_LINES:
                    self._complaints.append(line.rstrip("\n"))
                if self._told is not None:
                    self._told(line.rstrip("\n"))

    def wait(self, cancelled: Cancelled, *, patience_s: float = STALLED_S) -> int:
        """Its exit code. Raises Stopped when cancelled, Unavailable when it has not ended in time."""
        waited = 0.0
        while not self._child.wait(_TICK_S):
            waited += _TICK_S
            if cancelled():
                raise Stopped
            if waited > patience_s:
                raise Unavailable(f"{self.name} did not end within {patience_s:g} s.", "Its outcome is not known.")
        self._listener.join(5)
        return self._child.exit_code or 0

    def complaint(self, doing: str) -> OpsError:
        """Why it ended as it did, as an error for people; call it after `wait`. doing: what failed, as a clause."""
        return _explained(self.name, self._child.exit_code or 0, self._complaints, doing)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._child.stop(signal.SIGTERM, 5.0)
        self._listener.join(5)


def _lend_password(password: str | None, environment: dict[str, str]) -> int | None:
    """Make the password known to a child by a file in memory, else by its environment; returns the file."""
    if password is None:
        return None
    if sys.platform != "linux":
        environment["PGPASSWORD"] = password
        return None
    descriptor = os.memfd_create("passfile", os.MFD_CLOEXEC)
    os.fchmod(descriptor, 0o600)  # libpq uses no file that others could read
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    os.write(descriptor, f"*:*:*:*:{escaped}\n".encode())
    environment["PGPASSFILE"] = f"/proc/self/fd/{descriptor}"
    return descriptor


_CAUSES: Sequence[tuple[str, tuple[str, ...], type[OpsError], str, str]] = (
    (
        "older",
        ("server version mismatch", "unsupported version"),
        Refused,
        "{name} is older than what it should work on",
        "Install newer client programs, or name their folder in OPS_POSTGRES_BIN.",
    ),
    (
        "disk-full",
        ("no space left on device", "disk quota exceeded", "could not extend file"),
        Refused,
        "the disk is full",
        "Make room, then try again.",
    ),
    (
        "server-gone",
        (
            *(
                "server closed the connection",
                "terminating connection",
                "connection to server",
                "could not receive data",
            ),
            *("could not send data", "no connection to the server", "connection reset", "connection has been closed"),
        ),
        Unavailable,
        "the server ended the connection",
        "See whether the server is running, then try again.",
    ),
    (
        "locked",
        ("lock timeout", "could not obtain lock", "canceling statement due to lock"),
        Unavailable,
        "a table is locked by somebody else",
        "Wait until whoever changes the table is done, then try again.",
    ),
    (
        "rows-hidden",
        ("row-level security", "row security"),
        Refused,
        "row-level security hides rows from this role",
        "Connect as the owner of the tables, or as a role with BYPASSRLS.",
    ),
)
"""Reason, words of the program or the server, kind of error, what it means, what to do; the first that fits."""


def _explained(name: str, code: int, lines: Sequence[str], doing: str) -> OpsError:
    if code < 0:
        said = f"{doing}: {name} was ended from outside (signal {-code})."
        return Unavailable(
            said, "", "Find out who ends programs here (memory, an administrator), then try again."
        ).because("killed")
    low = "\n".join(lines).lower()
    for reason, marks, kind, what, do in _CAUSES:
        if any(mark in low for mark in marks):
            return kind(f"{doing}: {what.format(name=name)}.", "", do).because(reason)
    return Unavailable(f"{doing}: {_reason(name, lines)}.", "", "").because("said")


def _reason(name: str, lines: Sequence[str]) -> str:
    """What the program said, without values: a server's message quotes them at its end, its details everywhere."""
    for line in lines:
        if f"{name}: error:" in line:
            told = line.split("ERROR:")[-1].split("error:")[-1].strip()
            return re.sub(r':\s+["\'].*$', "", told).rstrip(".")[:200]
    return f"{name} gave no reason"

"""Starts a Postgres server of our own, quickly, on loopback, and sees to it that it never outlives its owner."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import quote

from services.database.binaries import Binaries, find_binaries, reachable, runnable
from services.database.watcher import Watched
from services.errors import Refused, Unavailable

__all__ = ["SUPERUSER", "THROW_AWAY", "Binaries", "Server", "find_binaries", "scratch_server"]

SUPERUSER = "supabase_admin"
"""The cluster's superuser. As on Supabase it is not `postgres`, which there is a plain owner."""

THROW_AWAY: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Options for data nobody will miss: a crash of the machine may spoil it, and everything is faster."""

_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_ELSEWHERE = Path("/var/lib/release-cockpit")
_SCRATCH = "ops-scratch-"
_LOCK_WAIT_S = 8.0
_SHARED_MEMORY_WAIT_S = 2.0


class Server:
    """A running server; made by `Server.start`. port: where it listens on 127.0.0.1; pid: of its postmaster."""

    def __init__(self, place: _Place, binaries: Binaries, port: int, password: str, child: Watched, lock: int) -> None:
        self._place = place
        self._password = password
        self._child = child
        self._lock: int | None = lock
        self.binaries = binaries
        self.port = port

    @classmethod
    def start(
        cls,
        data: Path,
        *,
        binaries: Binaries | None = None,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        deadline_s: float = 30.0,
    ) -> Server:
        """Start a server on the data directory, making it first where there is none.

        data:    beside it lie data.password (0600), data.lock and data.log. As root the server runs as `postgres` or
                 `nobody`; where that account cannot reach the folder, `data` becomes a link to one that it can.
        binaries: default the newest suitable, see `find_binaries`
        port:    default a free one
        options: server settings, given as `-c name=value`
        Raises Refused (the data is in use, or was made by another major version), Unavailable (it did not start).
        """
        account = _account()
        programs = runnable(binaries or find_binaries(), account)
        place = _Place(data.absolute(), account)
        lock = place.lock()
        try:
            password = place.prepare(programs, deadline_s)
            child, chosen = _launch(place, programs, port, options or {}, lock, deadline_s)
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
) -> Iterator[Server]:
    """A server on a new, empty cluster without fsync, which is deleted when the block is left.

    What a killed process left behind is swept away by the next one.
    """
    _sweep(Path(tempfile.gettempdir()))
    programs = binaries or find_binaries(major, environ=environ)
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH))
    folder.chmod(0o711)
    try:
        server = Server.start(folder / "data", binaries=programs, options={**THROW_AWAY, **(options or {})})
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
                _Place(left.parent / "data", _account()).remove()
                shutil.rmtree(left.parent, ignore_errors=True)
        except OSError:
            continue  # still in use, or another account's: not ours to delete


class _Place:
    """The folder of a cluster and the files beside it, owned by the account the server runs as."""

    def __init__(self, data: Path, account: tuple[int, int] | None) -> None:
        self.account = account
        self.data = data
        self._moved: Path | None = None
        if account is not None and not reachable(_existing(data) / "x", account):
            name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
            self._moved = _ELSEWHERE / name / "data"
        self.real = self._moved or data
        self.password = data.with_name(data.name + ".password")
        self.log = data.with_name(data.name + ".log")

    def lock(self) -> int:
        """Take the lock that every process of a server holds while it lives; returns its descriptor."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        path = self.data.with_name(self.data.name + ".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # The server of an owner that has just been killed needs a moment to go; one in use stays.
                if self._has_owner() or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise Refused(
                        f"The data in {self.data} is served by another process.",
                        "Nothing was started.",
                        "Use that server, or stop it first.",
                        place=str(self.data),
                    ) from None
                time.sleep(0.02)
            else:
                self._note_owner(os.getpid())
                return descriptor

    def _note_owner(self, pid: int) -> None:
        self.data.with_name(self.data.name + ".owner").write_text(f"{pid} {_started(pid)}\n", encoding="ascii")

    def _has_owner(self) -> bool:
        """Does the process that took the lock still live (and is it that one, not a later one of its number)?"""
        try:
            pid, started = self.data.with_name(self.data.name + ".owner").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return False
        return _started(int(pid)) == started

    def prepare(self, programs: Binaries, deadline_s: float) -> str:
        """Make the cluster where there is none; returns the superuser's password."""
        if self._moved is not None and self._moved.exists() and not self.data.is_symlink():
            shutil.rmtree(self._moved)  # belongs to a folder of this name that has since been deleted
        if not (self.real / "PG_VERSION").exists():
            return self._make(programs, deadline_s)
        made_by = (self.real / "PG_VERSION").read_text(encoding="ascii").strip()
        if made_by != str(programs.version):
            raise Refused(
                f"{self.data} was made by Postgres {made_by}, and the programs found are {programs.version}.",
                "Nothing was started or changed.",
                "Name the programs of that version in OPS_POSTGRES_BIN, or delete the data if it may go.",
                place=str(self.data),
            )
        try:
            return self.password.read_text(encoding="ascii").strip()
        except OSError:
            raise Refused(
                f"The password file {self.password} is gone.",
                "The data cannot be opened without it; nothing was changed.",
                "Put the file back, or delete the data if it may go.",
                place=str(self.password),
            ) from None

    def _make(self, programs: Binaries, deadline_s: float) -> str:
        password = secrets.token_urlsafe(24)
        fresh = self.real.with_name(self.real.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self.real, ignore_errors=True)
        self.real.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        fresh.mkdir(mode=0o700)
        password_copy = fresh.with_name(fresh.name + ".pw")
        _write_private(password_copy, password)
        if self.account is not None:
            os.chown(fresh, *self.account)
            os.chown(password_copy, *self.account)
        try:
            _initdb(programs, fresh, password_copy, self.account, deadline_s)
        finally:
            password_copy.unlink()
        _write_private(self.password, password)
        fresh.rename(self.real)
        if self._moved is not None:
            self.data.unlink(missing_ok=True)
            self.data.symlink_to(self._moved)
        return password

    def remove(self) -> None:
        shutil.rmtree(self.real, ignore_errors=True)
        if self._moved is not None:
            shutil.rmtree(self._moved.parent, ignore_errors=True)
            self.data.unlink(missing_ok=True)
        for file in self.data.parent.glob(f"{self.data.name}.*"):
            file.unlink(missing_ok=True)


def _existing(path: Path) -> Path:
    """The nearest folder above the path that is there already; what we make below it we make reachable."""
    return next(parent for parent in path.parents if parent.exists())


def _started(pid: int) -> str:
    """When a process began, in the kernel's own count; "" where there is none of that number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        pass
    told = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return told.strip().replace(" ", "_")


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text + "\n")


def _account() -> tuple[int, int] | None:
    """Whom the server runs as: ourselves, or an unprivileged account when we are root, which Postgres refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise Unavailable(
        "We run as root, and there is neither an account 'postgres' nor 'nobody'.",
        "Postgres refuses to run as root.",
        "Start this as an ordinary user.",
    )


def _environment(programs: Binaries) -> dict[str, str]:
    return {"PATH": f"{programs.bin}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _initdb(
    programs: Binaries, folder: Path, password_file: Path, account: tuple[int, int] | None, deadline_s: float
) -> None:
    uid, gid = account or (None, None)
    done = subprocess.run(
        [
            *(str(programs.tool("initdb")), "-D", str(folder), "-U", SUPERUSER, "-A", "scram-sha-256"),
            *("--pwfile", str(password_file), "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ],
        env=_environment(programs),
        cwd="/",
        user=uid,
        group=gid,
        extra_groups=[] if account else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise Unavailable(
            f"A Postgres cluster could not be made: {lines[0] if lines else 'initdb failed without a word'}.",
            "No server was started.",
            "Look at the free space and the rights of the folder.",
            place=str(folder),
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _launch(
    place: _Place, programs: Binaries, port: int | None, options: Mapping[str, str], lock: int, deadline_s: float
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
            env=_environment(programs),
            account=place.account,
            last_signal=signal.SIGINT,
            keep_open=[lock],
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


def _ready(place: _Place, child: Watched, deadline: float) -> bool:
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

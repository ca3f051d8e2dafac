"""The folder of a Postgres cluster: made once, locked while it is served, reachable for the account that serves it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from services.database.binaries import Binaries, make_reachable, reachable
from services.database.new_cluster import make_cluster
from services.errors import Refused, Unavailable

_ELSEWHERE = Path("/var/lib/release-cockpit")
_LOCK_WAIT_S = 8.0
_OWNED_WAIT_S = 0.5


class ClusterFolder:
    """The folder of a cluster and the files beside it, owned by the account the server runs as."""

    def __init__(self, data: Path, account: tuple[int, int] | None) -> None:
        self.account = account
        self.data = data
        self._moved: Path | None = None
        data.parent.mkdir(parents=True, exist_ok=True)
        if data.is_symlink():
            self._moved = data.readlink()
        elif account is not None and not reachable(data, account):
            name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
            self._moved = _ELSEWHERE / name / "data"
        self.real = self._moved or data
        self.password = data.with_name(data.name + ".password")
        self.log = data.with_name(data.name + ".log")

    def lock(self) -> int:
        """Take the lock that every process of a server holds while it lives; returns its descriptor."""
        path = self.data.with_name(self.data.name + ".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        began = time.monotonic()
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # An owner that has just been killed needs a moment to go, and its server another; one in use stays.
                if time.monotonic() - began > (_OWNED_WAIT_S if self._has_owner() else _LOCK_WAIT_S):
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
        if self._moved is not None and not self.data.is_symlink():
            self._refuse_closed_data()
            shutil.rmtree(self._moved, ignore_errors=True)  # of a folder of this name that has since been deleted
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

    def _refuse_closed_data(self) -> None:
        if (self.data / "PG_VERSION").exists():
            raise Refused(
                f"The folders above {self.data} have been closed to the account that Postgres runs as.",
                "Nothing was started or changed.",
                "Open them for others to walk through (chmod o+x), or delete the data if it may go.",
                place=str(self.data),
            )

    def _make(self, programs: Binaries, deadline_s: float) -> str:
        password = secrets.token_urlsafe(24)
        fresh = self.real.with_name(self.real.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self.real, ignore_errors=True)
        if self._moved is not None:
            make_reachable(_ELSEWHERE)
            _sweep_elsewhere()
            make_reachable(self._moved.parent)
            (self._moved.parent / "belongs-to").write_text(str(self.data), encoding="utf-8")
        make_cluster(programs, fresh, self.account, password, deadline_s)
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


def _sweep_elsewhere() -> None:
    """Delete what belongs to folders that have been deleted."""
    for note in _ELSEWHERE.glob("*/belongs-to"):
        if not Path(note.read_text(encoding="utf-8")).parent.exists():
            shutil.rmtree(note.parent, ignore_errors=True)


def _started(pid: int) -> str:
    """When a living process began, in the kernel's own words; "" where none of that number lives."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        state, began = facts[0], facts[19]
    except (OSError, IndexError):
        told = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        state, _, began = told.stdout.strip().partition(" ")
    # Killed, but not yet waited for by its parent: dead all the same.
    return "" if state.startswith(("Z", "X")) else began.strip().replace(" ", "_")


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text + "\n")


def server_account() -> tuple[int, int] | None:
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

"""Knows how a new Postgres cluster is made: once by initdb, from then on as a copy of what initdb made."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from services.database.binaries import Binaries, cache_folder, make_reachable
from services.database.scram import scram_verifier
from services.errors import Unavailable

Account = tuple[int, int] | None
"""uid and gid that the server runs as; None: ourselves."""

SUPERUSER = "supabase_admin"
"""The cluster's superuser. As on Supabase it is not `postgres`, which there is a plain owner."""

_OPTIONS = ("-U", SUPERUSER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
_KEPT = 6
"""Untouched clusters kept at most, one for each set of programs in use; the oldest goes first."""

_TEMPORARY = ".new-"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def server_environment(programs: Binaries) -> dict[str, str]:
    return {"PATH": f"{programs.bin}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def make_cluster(programs: Binaries, folder: Path, account: Account, password: str, deadline_s: float) -> None:
    """Make a cluster in `folder`, which is not there yet and which the account can reach.

    password: of the superuser, in ASCII, and so random that nobody can guess it.
    Raises Unavailable where it cannot be made.

    initdb takes most of the time that a fresh server needs, and what it makes is the same each time. So one untouched
    cluster is kept in a folder that only our account can enter, and copied. Not by hard links: a server writes into its
    files. Nobody knows the password that a kept cluster has: each copy gets its own before anyone can connect to it, by
    the server's single-user mode, which opens no port and is told only what the password is checked by. It is then as
    safe as if initdb had been given it: as a verifier in the cluster, and in the owner's own password file.
    """
    with _kept_cluster(programs, account, deadline_s) as kept:
        if kept is None or not _copied(kept, folder, deadline_s):
            _initdb(programs, folder, account, deadline_s)
            if kept is not None:
                _keep(folder, kept, deadline_s)
    _set_password(programs, folder, account, password, deadline_s)


@contextmanager
def _kept_cluster(programs: Binaries, account: Account, deadline_s: float) -> Iterator[Path | None]:
    """The place of the untouched cluster of these programs, locked: a sound one, or nothing to be made there.

    None where none can be kept. What was not synced to the disk may be spoiled by a crash of the machine, so that a
    cluster is used only until the next start of the machine.
    """
    try:
        boot = _BOOT.read_text(encoding="ascii")
        stock = _private(cache_folder() / "clusters")
        lock = os.open(stock / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield None
        return
    try:
        name = _name(programs, account, boot)
        if not _locked(lock, fcntl.LOCK_SH, deadline_s):
            yield None
            return
        if not _sound(stock / name, programs, account):
            # Meanwhile another process may be making the very same one, for which we wait.
            if not _locked(lock, fcntl.LOCK_EX, deadline_s):
                yield None
                return
            if not _sound(stock / name, programs, account):
                _clear(stock, name)
        yield stock / name
    finally:
        os.close(lock)


def _private(folder: Path) -> Path:
    """The folder, made where it is not there; OSError where others could have laid something into it."""
    make_reachable(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise PermissionError(f"{folder} is open to others")
    return folder


def _name(programs: Binaries, account: Account, boot: str) -> str:
    """Differs where anything does that decides what initdb makes, or whom it is for."""
    server = programs.tool("postgres").resolve()
    facts = server.stat()
    made_of = (programs.version, server, facts.st_mtime_ns, facts.st_size, account or os.geteuid(), _OPTIONS, boot)
    return f"{programs.version}-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:24]}"


def _locked(lock: int, kind: int, deadline_s: float) -> bool:
    """Wait for the lock; False where it was not to be had in time."""
    until = time.monotonic() + deadline_s
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        else:
            return True


def _sound(place: Path, programs: Binaries, account: Account) -> bool:
    """True if this is a whole cluster of that account and version which no server ever ran on."""
    try:
        facts = place.lstat()
        version = (place / "PG_VERSION").read_text(encoding="ascii").strip()
        control = (place / "global" / "pg_control").lstat()
    except (OSError, ValueError):
        return False
    owner = account[0] if account else os.geteuid()
    return (
        stat.S_ISDIR(facts.st_mode)
        and facts.st_uid == control.st_uid == owner
        and not facts.st_mode & 0o077
        and version == str(programs.version)
        and not (place / "postmaster.pid").exists()
        and not (place / "postmaster.opts").exists()  # which a server leaves behind
    )


def _clear(stock: Path, name: str) -> None:
    """Make room: unfinished copies, what is unsound under this name, and the oldest clusters."""
    for left in stock.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(left, ignore_errors=True)
    _remove(stock / name)
    others = sorted((one for one in stock.iterdir() if one.name != "lock"), key=lambda one: one.lstat().st_mtime)
    for old in others[: max(0, len(others) - _KEPT + 1)]:
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _copied(origin: Path, copy: Path, deadline_s: float) -> bool:
    """Copy a cluster with owners and rights; False, and nothing is left, where it is not there or cannot be copied."""
    if not origin.exists():
        return False
    # Where this goes wrong, what is there of it goes, and initdb makes a cluster.
    with suppress(OSError, subprocess.TimeoutExpired):
        command = ["cp", "-a", "--reflink=auto", str(origin), str(copy)]
        if subprocess.run(command, capture_output=True, timeout=deadline_s, check=False).returncode == 0:
            return True
    shutil.rmtree(copy, ignore_errors=True)
    return False


def _keep(made: Path, place: Path, deadline_s: float) -> None:
    """Keep a copy of what initdb made. Where it cannot be kept, the next cluster is made by initdb again."""
    with suppress(OSError), tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=place.parent) as folder:
        if _copied(made, Path(folder) / "data", deadline_s):
            (Path(folder) / "data").rename(place)


def _initdb(programs: Binaries, folder: Path, account: Account, deadline_s: float) -> None:
    """Make a cluster whose superuser has a password that nobody knows."""
    folder.mkdir(mode=0o700)
    forgotten = folder.with_name(folder.name + ".pw")
    forgotten.unlink(missing_ok=True)
    with os.fdopen(os.open(forgotten, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(24) + "\n")
    try:
        if account is not None:
            os.chown(folder, *account)
            os.chown(forgotten, *account)
        command = [str(programs.tool("initdb")), "-D", str(folder), "--pwfile", str(forgotten), *_OPTIONS]
        done = _run(command, programs, account, deadline_s)
    finally:
        forgotten.unlink()
    if done.returncode != 0:
        raise _not_made(done.stderr.splitlines(), folder)


def _set_password(programs: Binaries, folder: Path, account: Account, password: str, deadline_s: float) -> None:
    verifier = scram_verifier(password, iterations=1)
    command = [str(programs.tool("postgres")), "--single", "-D", str(folder), "-c", "fsync=off", "template1"]
    done = _run(command, programs, account, deadline_s, f"ALTER ROLE {SUPERUSER} PASSWORD '{verifier}'\n")
    # It ends well after a statement that failed. What it says next quotes the statement, and is not told.
    wrong = [line for line in done.stderr.splitlines() if any(mark in line for mark in ("ERROR:", "FATAL:", "PANIC:"))]
    if done.returncode != 0 or wrong:
        raise _not_made(wrong, folder)


def _run(
    command: Sequence[str], programs: Binaries, account: Account, deadline_s: float, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    uid, gid = account or (None, None)
    return subprocess.run(
        command,
        env=server_environment(programs),
        cwd="/",
        user=uid,
        group=gid,
        extra_groups=[] if account else None,
        input=typed,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )


def _not_made(said: Sequence[str], folder: Path) -> Unavailable:
    lines = [line for line in said if line.strip()]
    return Unavailable(
        f"A Postgres cluster could not be made: {lines[0] if lines else 'the server ended without a word'}.",
        "No server was started.",
        "Look at the free space and the rights of the folder.",
        place=str(folder),
    )

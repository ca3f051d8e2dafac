"""Knows where backups lie: a private folder outside any repository, with room, and never a half-written file in it."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from services.database.backup.streams import Hashed
from services.errors import OpsError, Refused

SUFFIX = ".dump.age"
_PARTIAL = ".partial"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SPARE_BYTES = 16_000_000


def private_folder(folder: Path, *, home: Path | None = None) -> Path:
    """The folder, made where it is not there, for us alone. home: our own folder, which may lie in a repository since
    it is kept out of it.

    Raises Refused for one inside a repository, or that others may read.
    """
    place = folder.expanduser().resolve()
    if (home is None or not place.is_relative_to(home.resolve())) and (repository := _repository_of(place)):
        raise Refused(
            f"The folder for backups, {place}, lies inside the repository {repository}.",
            "Nothing was written: what lies there is soon copied to others.",
            "Name a folder outside of it.",
            place="backup_folder",
        )
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = place.stat()
    except OSError as error:
        raise Refused(
            f"The folder for backups, {place}, cannot be used ({os.strerror(error.errno or 0)}).",
            "Nothing was written.",
            "Name one that we may write to.",
            place="backup_folder",
        ) from None
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise Refused(
            f"The folder for backups, {place}, can be read by others.",
            "Nothing was written.",
            f"Close it: chmod 700 {place}",
            place="backup_folder",
        )
    return place


def _repository_of(place: Path) -> Path | None:
    return next((one for one in (place, *place.parents) if (one / ".git").exists()), None)


def same_disk(one: Path, other: Path) -> bool:
    """Whether both lie on one file system, so that a disk that dies takes both."""
    return one.stat().st_dev == other.stat().st_dev


def require_room(folder: Path, wanted: int, what: str) -> None:
    """Raises Refused where the file system of `folder` has less than about `wanted` bytes free. what: for whom."""
    free = shutil.disk_usage(folder).free
    if free < wanted + _SPARE_BYTES:
        raise Refused(
            f"{what} needs about {megabytes(wanted + _SPARE_BYTES)}, and {folder} has {megabytes(free)} free.",
            "Nothing was dumped.",
            "Make room, or name a folder on a larger disk.",
            place=str(folder),
        )


def megabytes(size: float) -> str:
    """A size for people."""
    return f"{size / 1e6:,.0f} MB" if size >= 10e6 else f"{size / 1e6:.1f} MB"


def disk_full(error: OSError, place: Path, written: int) -> OpsError | None:
    """What a failed write means, where it is that there is no room."""
    if error.errno not in _FULL:
        return None
    return Refused(
        f"The disk of {place} is full: {megabytes(written)} of the backup were written, and no more fits.",
        "The unfinished file was removed; there is no new backup.",
        "Make room, or name a folder on a larger disk.",
        place=str(place),
    )


class NewFile:
    """A file that is being written. place: where it will be; so_far: where it is until then."""

    def __init__(self, folder: Path, name: str, file: BinaryIO) -> None:
        self.place = folder / name
        self.so_far = folder / (name + _PARTIAL)
        self.sink = Hashed(file)
        self._file = file

    def to_disk(self) -> None:
        """Return when all that was written is on the disk itself."""
        os.fsync(self._file.fileno())


@contextmanager
def new_file(folder: Path, target: str, now: datetime) -> Iterator[NewFile]:
    """A file that gets its name only when the block ends well; however it ends otherwise, nothing is left of it.

    Raises Refused where the disk is full.
    """
    _sweep(folder)
    name = f"{target}-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}{SUFFIX}"
    descriptor = os.open(folder / (name + _PARTIAL), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # while it is held, nobody sweeps the file away
        made = NewFile(folder, name, file)
        try:
            yield made
            made.so_far.rename(made.place)
            _sync_folder(folder)
        except OSError as error:
            raise disk_full(error, folder, made.sink.bytes) or error from None
        finally:
            made.so_far.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove unfinished files that nobody writes any more: whoever began them was killed."""
    for left in folder.glob(f"*{SUFFIX}{_PARTIAL}"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()

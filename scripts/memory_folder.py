"""A folder for temporary files that lies in memory, where there is room: databases by the thousand are made there.

Making one is three hundred small files, which a disk's file system takes six times as long for.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108  asked for room, and a folder of our own made in it
PREFIX = "ops-tests-"
ROOM = 6 * 2**30
"""Bytes that must be free, both there and of the memory; a whole run of the tests holds up to 1 GB."""
_LIMIT = Path("/sys/fs/cgroup/memory.max")
_USED = Path("/sys/fs/cgroup/memory.current")


@contextmanager
def memory_folder(place: Path = MEMORY, room: int = ROOM) -> Iterator[Path | None]:
    """A fresh folder in memory that other accounts may walk through, removed afterwards; None where there is no room.

    What a killed run has left is removed by the next.
    """
    if not _has_room(place, room):
        yield None
        return
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    with _lock_of(folder).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            folder.chmod(0o711)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)


def _has_room(place: Path, room: int) -> bool:
    """Whether programs may be run there, and that many bytes are free: there, of the memory, and of our share."""
    try:
        facts = os.statvfs(place)
        available = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.M)
    except OSError:
        return False
    if not os.access(place, os.W_OK) or facts.f_flag & os.ST_NOEXEC or available is None:
        return False
    return min(facts.f_bavail * facts.f_frsize, int(available[1]) * 1024, _share_left()) >= room


def _share_left() -> float:
    """Bytes that a container's limit leaves; infinite where there is none."""
    try:
        limit, used = (path.read_text(encoding="ascii").strip() for path in (_LIMIT, _USED))
    except OSError:
        return float("inf")
    return float("inf") if limit == "max" else int(limit) - int(used)


def _sweep(place: Path) -> None:
    """Remove folders whose lock nobody holds: their run was killed."""
    for lock in place.glob(f"{PREFIX}*.lock"):
        try:
            with lock.open("r") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        except OSError:
            continue  # in use, or another account's: not ours to remove


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")

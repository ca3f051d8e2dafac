"""Knows where the data of a scratch server goes: into memory where all of it surely fits, else to the temporary folder.

Copying a database is mostly making files, which many a disk is slow at; and rows of a target that were only ever in
memory are on no disk afterwards.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108  what is made in it has a name that nobody can guess
SPARE_BYTES = 2 * 1024**3
"""What must stay free of the memory for everything else, and for what scripts and prediction write."""

_MEMORY_FACTS = Path("/proc/meminfo")


def scratch_folders(environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """All folders in which scratch servers may lie; whoever names a folder for temporary files has it used."""
    named = (os.environ if environ is None else environ).get("TMPDIR")
    return (Path(tempfile.gettempdir()),) if named or not MEMORY.is_dir() else (Path(tempfile.gettempdir()), MEMORY)


def scratch_folder(needs_bytes: int | None, environ: Mapping[str, str] | None = None) -> Path:
    """Where to put a server that will hold so many bytes at most; None: not known, so not into memory."""
    folders = scratch_folders(environ)
    if MEMORY in folders and needs_bytes is not None and _free_bytes() >= needs_bytes + SPARE_BYTES:
        return MEMORY
    return folders[0]


def _free_bytes() -> int:
    """How much of the memory may be used for files; 0 where that cannot be told."""
    try:
        if not os.access(MEMORY, os.W_OK | os.X_OK):
            return 0
        facts = dict(line.split(":", 1) for line in _MEMORY_FACTS.read_text(encoding="ascii").splitlines())
        return min(shutil.disk_usage(MEMORY).free, int(facts["MemAvailable"].split()[0]) * 1024)
    except (OSError, ValueError, KeyError, IndexError):
        return 0

"""Looks for secrets in the memory of running processes, as a core of them would hold it (Linux)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PROC = Path("/proc")
_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)")
_NOT_MEMORY = ("[vvar", "[vsyscall]", "[vdso]")


def found_in_memory(pid: int, forms: Iterable[bytes]) -> int:
    """In how many places of a process's memory one of the forms stands."""
    wanted = tuple(forms)
    return sum(part.count(form) for part in _regions(pid) for form in wanted)


def _regions(pid: int) -> Iterator[bytes]:
    with (PROC / str(pid) / "mem").open("rb", buffering=0) as memory:
        for line in (PROC / str(pid) / "maps").read_text().splitlines():
            begin, end, rights, name = _LINE.match(line).groups()  # type: ignore[union-attr]
            # What nobody may write to is as it was in its file.
            if not rights.startswith("rw") or name.startswith(_NOT_MEMORY):
                continue
            at, last = int(begin, 16), int(end, 16)
            try:
                # One region at a time and whole: a secret never stands across two of them.
                yield os.pread(memory.fileno(), last - at, at)
            except OSError:
                continue  # a region that has gone since, or that cannot be read


def processes_of_home(home: Path) -> list[int]:
    """The processes whose environment or words name this home, but for ours."""
    mark = str(home).encode()
    return [
        pid
        for pid in (int(one.name) for one in PROC.iterdir() if one.name.isdecimal())
        if pid != os.getpid() and any(mark in text for text in told_by(pid))
    ]


def told_by(pid: int) -> tuple[bytes, bytes]:
    """A process's environment and its words, as anybody of the account may read them; empty where it is gone."""
    try:
        return (PROC / str(pid) / "environ").read_bytes(), (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b"", b""

"""Looks for secrets in the memory of running processes, as a core of them would hold it (Linux)."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")
_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)")
_NOT_MEMORY = ("[vvar", "[vsyscall]", "[vdso]")


def found_in_memory(pid: int, forms: Iterable[bytes]) -> int:
    """In how many places of a process's memory one of the forms stands."""
    wanted = tuple(forms)
    return sum(part.count(form) for part in _regions(pid) for form in wanted)


def _regions(pid: int) -> Iterator[bytes]:
    here = PROC / str(pid)
    with (here / "mem").open("rb") as memory, (here / "pagemap").open("rb") as pages:
        for line in (here / "maps").read_text().splitlines():
            begin, end, rights, name = _LINE.match(line).groups()  # type: ignore[union-attr]
            # What nobody may write to is as it was in its file.
            if not rights.startswith("rw") or name.startswith(_NOT_MEMORY):
                continue
            for at, last in _in_use(pages, int(begin, 16), int(end, 16)):
                try:
                    # Neighbouring pages are read as one, so that nothing goes unseen across them.
                    yield os.pread(memory.fileno(), last - at, at)
                except OSError:
                    continue  # a region that has gone since, or that cannot be read


def _in_use(pages: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretches of a region that are in memory or swapped out; the rest was only reserved and holds nothing."""
    entries = array("Q", os.pread(pages.fileno(), (end - begin) // PAGE * 8, begin // PAGE * 8))
    used = [bool(entry >> 62) for entry in entries]
    for is_used, stretch in groupby(range(len(used)), key=used.__getitem__):
        if is_used:
            numbers = list(stretch)
            yield begin + numbers[0] * PAGE, begin + (numbers[-1] + 1) * PAGE


def every_process() -> list[int]:
    return [int(one.name) for one in PROC.iterdir() if one.name.isdecimal()]


def processes_of_home(home: Path) -> list[int]:
    """The processes whose environment or words name this home, but for ours."""
    mark = str(home).encode()
    return [pid for pid in every_process() if pid != os.getpid() and any(mark in text for text in told_by(pid))]


def told_by(pid: int) -> tuple[bytes, bytes]:
    """A process's environment and its words, as anybody of the account may read them; empty where it is gone."""
    try:
        return (PROC / str(pid) / "environ").read_bytes(), (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b"", b""

"""Holds one secret in memory: one copy, outside what Python copies around, kept out of core dumps, and wiped."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import sys
from socket import socket

LONGEST_BYTES = 4000
_PR_SET_DUMPABLE = 4
_STAY_OUT = ("MADV_DONTDUMP", "MADV_DONTFORK")
"""Linux: not in a core dump, and not in the memory of what we start."""


def refuse_core_dumps() -> None:
    """From now on no core of this process is written, and none of the same account may read its memory (Linux)."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class Safe:
    """One secret as bytes that no Python object repeats: read straight into place, written straight out of it."""

    def __init__(self, size: int) -> None:
        """size: of the secret in bytes. Raises ValueError where it is none or too long for an address."""
        if not 0 < size <= LONGEST_BYTES:
            raise ValueError(f"a secret of {size} bytes is not held")
        self._size = size
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        for name in _STAY_OUT:
            advice = getattr(mmap, name, None)
            if advice is not None:
                self._memory.madvise(advice)
        self._keep_off_the_disk()

    def _keep_off_the_disk(self) -> None:
        """Ask that the page is never swapped out; where the system allows none of this it stays as it is."""
        with contextlib.suppress(AttributeError, OSError):
            page = (ctypes.c_char * mmap.PAGESIZE).from_buffer(self._memory)
            ctypes.CDLL(None).mlock(ctypes.byref(page), ctypes.c_size_t(mmap.PAGESIZE))
            del page

    def fill(self, peer: socket) -> None:
        """Receive the secret. Raises ConnectionError where the peer sends less than was announced."""
        with memoryview(self._memory) as whole:
            filled = 0
            while filled < self._size:
                with whole[filled : self._size] as rest:
                    got = peer.recv_into(rest)
                if got == 0:
                    raise ConnectionError("the peer left in the middle")
                filled += got

    def write_to(self, descriptor: int) -> None:
        """Write the secret to a pipe."""
        with memoryview(self._memory) as whole, whole[: self._size] as secret:
            written = 0
            while written < self._size:
                with secret[written:] as rest:
                    written += os.write(descriptor, rest)

    def wipe(self) -> None:
        """Overwrite the secret and give its memory back; wiping twice is no error."""
        if not self._memory.closed:
            self._memory[: self._size] = bytes(self._size)
            self._memory.close()

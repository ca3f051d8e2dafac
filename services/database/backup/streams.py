"""Knows how a backup's bytes move: pipes to and from programs that can be stopped, counted and hashed on the way."""

from __future__ import annotations

import hashlib
import os
import select
import time
from collections.abc import Callable
from typing import BinaryIO

from services.database.execution import Cancelled, Stopped
from services.errors import Unavailable

STALLED_S = 300.0
_TICK_S = 0.2

Moved = Callable[[int], None]


class _End:
    """Our end of a pipe to a program."""

    def __init__(self, descriptor: int, cancelled: Cancelled, moved: Moved | None = None) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor: int | None = descriptor
        self._cancelled = cancelled
        self._moved = moved
        self.bytes = 0

    def _ready(self, *, reading: bool) -> int:
        """Wait until the pipe can be used; returns its descriptor."""
        assert self._descriptor is not None
        wanted = [self._descriptor]
        began = time.monotonic()
        while True:
            if self._cancelled():
                raise Stopped
            readable, writable, _ = select.select(wanted if reading else [], [] if reading else wanted, [], _TICK_S)
            if readable or writable:
                return self._descriptor
            if time.monotonic() - began > STALLED_S:
                raise Unavailable(
                    f"Nothing has moved for {STALLED_S:g} s.", "It was ended.", "See what the server is busy with."
                )

    def _count(self, size: int) -> None:
        self.bytes += size
        if self._moved is not None:
            self._moved(self.bytes)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class FromProgram(_End):
    """What a program writes. Raises Stopped when cancelled, Unavailable where nothing comes for STALLED_S seconds."""

    def read(self, size: int) -> bytes:
        data = os.read(self._ready(reading=True), size)
        self._count(len(data))
        return data


class ToProgram(_End):
    """What a program reads. Once it has closed its end the rest is taken and dropped, since the file shall be read to
    its end all the same; `left` then tells so. Raises as FromProgram."""

    left = False

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest and not self.left:
            try:
                rest = rest[os.write(self._ready(reading=False), rest) :]
            except BrokenPipeError:
                self.left = True
        self._count(len(data))
        return len(data)


class Hashed:
    """A file's bytes as they are read or written, with their number and SHA-256 (`digest`, hex)."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.bytes = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._take(data)
        return data

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:  # a disk that is nearly full takes a part before it refuses
            rest = rest[self._file.write(rest) :]
        self._take(data)
        return len(data)

    def _take(self, data: bytes) -> None:
        self._hash.update(data)
        self.bytes += len(data)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


class Nowhere:
    """Takes bytes and keeps none: for reading a file to its end."""

    def write(self, data: bytes) -> int:
        return len(data)

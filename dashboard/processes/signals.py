"""The wish to stop: SIGINT, SIGTERM and SIGHUP turned into something a loop can wait for."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Within the block, the three signals set `event` and make `descriptor` readable instead of ending the process.

    They are installed even where the process inherited them ignored, as one started in the background does.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.descriptor, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._before: dict[signal.Signals, Any] = {}

    @property
    def received(self) -> bool:
        return self.event.is_set()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.event.set()
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"!")

    def __enter__(self) -> StopSignals:
        self._before = {number: signal.signal(number, self._note) for number in NUMBERS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.descriptor)
        os.close(self._wake)

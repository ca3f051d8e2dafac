"""Stops processes with SIGSTOP for as long as a guard process lives that continues them; run as a script, the guard.

The guard's life is a pipe from its owner: however the owner goes, nothing stays stopped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO


class Frozen:
    """Processes that are stopped. Blocking.

    first:  is stopped before the others are asked for, so that it starts no more of them
    others: tells their ids
    """

    def __init__(self, first: int, others: Callable[[], Iterable[int]]) -> None:
        self.pids: list[int] = []
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        try:
            self._stop([first])
            self._stop(others())
        except BaseException:
            self.thaw()
            raise

    def _stop(self, pids: Iterable[int]) -> None:
        wanted = list(pids)
        orders, answers = self._pipes
        orders.write((" ".join(map(str, wanted)) + "\n").encode())
        answers.readline()
        self.pids += wanted

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        return self._guard.stdin, self._guard.stdout

    def thaw(self) -> None:
        """Continue them all; a second time is no error."""
        orders, answers = self._pipes
        orders.close()
        self._guard.wait()
        answers.close()


def _stand_guard() -> None:
    """One line of process ids after the other is stopped and answered; at the end all are continued, newest first."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stopped: list[int] = []
    for line in sys.stdin.buffer:
        for pid in map(int, line.split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        sys.stdout.write("stopped\n")
        sys.stdout.flush()
    for pid in reversed(stopped):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    _stand_guard()

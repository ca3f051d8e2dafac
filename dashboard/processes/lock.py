"""The one lock of a home folder: who runs here and where; held by the kernel, not by a file's existence."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from services.errors import Refused, Unavailable

FILE = "run.lock"
LEFTOVERS_WAIT_S = 12.0
"""After kill -9 of a supervisor its children need a few seconds to notice and go."""


class HomeLock:
    """Held from `take` to `release`. Children inherit `descriptor`: it stays taken until the last of them is gone."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self.descriptor = -1

    def take(self, wait_s: float = LEFTOVERS_WAIT_S) -> HomeLock:
        """Take the lock. Raises Refused, saying where the other one runs, or Unavailable where its remains do not go.

        wait_s: how long to wait for the children of a supervisor that was killed.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = self.holder()
                if holder is None or not _alive(holder.get("pid")):
                    if time.monotonic() < deadline:
                        time.sleep(0.05)  # the kernel offers no wait for a lock that ends at a time of our choosing
                        continue
                    self._give_up()
                    raise Unavailable(
                        "What an earlier start left running in this folder has not ended.",
                        "Nothing was started.",
                        "Wait a few seconds and try again, or set OPS_HOME to another folder.",
                        place=str(self._path),
                    ) from None
                self._give_up()
                raise _runs_already(holder) from None
            self.tell({"pid": os.getpid()})
            return self

    def is_taken(self) -> bool:
        """Whether a supervisor, or what one left behind, holds the lock now."""
        try:
            probe = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def holder(self) -> Mapping[str, Any] | None:
        """What the last holder told about itself; None where nothing readable was told."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Write down who holds the lock: pid, address, and the pids of the children."""
        data = json.dumps(facts, sort_keys=True).encode()
        os.pwrite(self.descriptor, data, 0)
        os.ftruncate(self.descriptor, len(data))

    def release(self) -> None:
        self.tell({})
        self._give_up()

    def _give_up(self) -> None:
        os.close(self.descriptor)
        self.descriptor = -1

    def __enter__(self) -> HomeLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def _alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _ended_but_not_collected(pid)


def _ended_but_not_collected(pid: int) -> bool:
    """Linux only: a process that is over keeps its number until its parent asks how it ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return state[:1] == ["Z"]


def _runs_already(holder: Mapping[str, Any]) -> Refused:
    address = holder.get("address")
    where = f"at {address}" if address else "and is still starting"
    return Refused(
        f"This dashboard runs already {where} (process {holder.get('pid')}).",
        "A second one was not started: one folder, one dashboard.",
        "Open that address, stop it with Ctrl-C where it was started, or set OPS_HOME to another folder.",
    )

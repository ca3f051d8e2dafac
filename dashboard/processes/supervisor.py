"""Watches over child processes: each may die alone and is started again; when this process goes, all of them go."""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from dashboard.processes.logs import LARGEST_LOG_BYTES
from services.database.watcher import Watched

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 20.0
STEADY_AFTER_S = 30.0

log = structlog.get_logger("supervisor")


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep running. name: also of its log file; argv: what it is; grace_s: to end by itself in."""

    name: str
    argv: Sequence[str]
    grace_s: float = 4.0


@dataclass(slots=True)
class _Child:
    part: Part
    process: Watched | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    deaths: int = 0


class Supervisor:
    """Starts parts in order, starts each again after a growing pause when it ends, stops all of them in reverse.

    logs:      folder of <part>.log, to which its output is appended
    keep_open: descriptors every part inherits
    tell:      one sentence for the person at the terminal, about a part that ended
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        logs: Path,
        environ: Mapping[str, str],
        folder: Path,
        keep_open: Sequence[int] = (),
        tell: Callable[[str], None] = lambda sentence: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._children = [_Child(part) for part in parts]
        self._logs = logs
        self._environ = dict(environ)
        self._folder = folder
        self._keep_open = tuple(keep_open)
        self._tell = tell
        self._clock = clock

    def start(self) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        for child in self._children:
            _make_room(self._log_of(child))
            self._launch(child)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the parts that run now."""
        return {child.part.name: child.process.pid for child in self._children if child.process is not None}

    def deaths(self, name: str) -> int:
        """How often a part has ended without being told to."""
        return next(child.deaths for child in self._children if child.part.name == name)

    def turn(self, wake: int, longest_s: float | None) -> bool:
        """Wait until a part ends, one is due again, `wake` is readable or the time is up; then mend what is to mend.

        Returns whether a part was started or has ended.
        """
        running = {child.process.fileno(): child for child in self._children if child.process is not None}
        waits = [max(0.0, child.due_at - self._clock()) for child in self._children if child.process is None]
        if longest_s is not None:
            waits.append(longest_s)
        ready, _, _ = select.select([wake, *running], [], [], min(waits, default=None))
        changed = False
        for descriptor in ready:
            child = running.get(descriptor)
            if child is not None and child.process is not None and not child.process.running():
                self._bury(child)
                changed = True
        for child in self._children:
            if child.process is None and child.due_at <= self._clock():
                self._launch(child)
                changed = True
        return changed

    def stop(self) -> None:
        """Ask every part to end, the last started first, and kill what has not ended in its time."""
        for child in reversed(self._children):
            if child.process is not None:
                child.process.send(signal.SIGTERM)
        for child in reversed(self._children):
            if child.process is not None:
                asked = self._clock()
                if not child.process.wait(child.part.grace_s):
                    log.warning("did not end in time and is killed", part=child.part.name)
                code = child.process.stop(signal.SIGKILL, timeout_s=5.0)
                log.info("stopped", part=child.part.name, exit=code, took_s=round(self._clock() - asked, 2))
                child.process = None

    def _launch(self, child: _Child) -> None:
        part = child.part
        child.started_at = self._clock()
        try:
            child.process = Watched(
                part.argv,
                log=self._log_of(child),
                env=self._environ,
                cwd=self._folder,
                grace_s=part.grace_s,
                keep_open=self._keep_open,
            )
        except OSError as error:
            log.error("cannot be started", part=part.name, error=type(error).__name__)
            self._pause(child)
            return
        log.info("started", part=part.name, pid=child.process.pid, deaths=child.deaths)

    def _bury(self, child: _Child) -> None:
        code = child.process.exit_code if child.process is not None else None
        child.process = None
        child.deaths += 1
        if self._clock() - child.started_at > STEADY_AFTER_S:
            child.pause_s = FIRST_PAUSE_S
        self._pause(child)
        wait_s = child.due_at - self._clock()
        log.error("ended by itself", part=child.part.name, exit=code, again_in_s=round(wait_s, 2))
        self._tell(
            f"The {child.part.name} process ended ({_how(code)}); it is started again. See {self._log_of(child)}."
        )

    def _pause(self, child: _Child) -> None:
        child.due_at = self._clock() + child.pause_s
        child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)

    def _log_of(self, child: _Child) -> Path:
        return self._logs / f"{child.part.name}.log"


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit {code}"
    return signal.Signals(-code).name


def _make_room(path: Path) -> None:
    """Keep one older log beside the current one."""
    if path.exists() and path.stat().st_size > LARGEST_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))

"""One process of a hosted build: started with exactly the variables it is given, its lines read as they come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from services.database.watcher import Watched

# The shell sends standard output into the named pipe $0 and becomes the program; standard error is the watcher's.
_SPLIT_STREAMS = 'exec "$@" >"$0"'
_CHUNK = 65_536

OnLine = Callable[[str, str], None]


class HostedProcess:
    """A running process. `ended` is done with its exit code (negative: that signal) once its last line was read.

    It ends with its owner, however the owner ends; see `services.database.watcher`.
    """

    def __init__(self, pipes: Path, on_line: OnLine) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_line = on_line
        self._readers: dict[int, _Lines] = {}
        self._paths = {"info": pipes / "out", "error": pipes / "err"}
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self._watched: Watched | None = None
        self._exit_descriptor = -1

    @classmethod
    async def start(
        cls, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, pipes: Path, on_line: OnLine
    ) -> HostedProcess:
        """Start a program.

        pipes:   an empty folder of its own, for the named pipes its two streams go through
        on_line: called in the event loop with the severity (`info` standard output, `error` standard error) and line
        Raises OSError where the program cannot be started.
        """
        process = cls(pipes, on_line)
        process._open_pipes()
        command = ["/bin/sh", "-c", _SPLIT_STREAMS, str(process._paths["info"]), *argv]
        starting = asyncio.ensure_future(
            asyncio.to_thread(Watched, command, log=process._paths["error"], env=env, cwd=cwd)
        )
        try:
            process._attend(await asyncio.shield(starting))
        except asyncio.CancelledError:
            # The thread cannot be called back: what it starts is killed as soon as it is there.
            process._attend(await starting)
            await process.stop(timeout_s=0.0)
            raise
        except BaseException:
            process._close_pipes()
            raise
        return process

    async def stop(self, timeout_s: float = 5.0) -> int:
        """Ask it to end, kill it after timeout_s seconds; returns the exit code. Stopping twice is no error."""
        self._send(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self.ended), timeout_s)
        self._send(signal.SIGKILL)
        return await asyncio.shield(self.ended)

    async def kill(self) -> int:
        """End it as a crash would; returns the exit code."""
        self._send(signal.SIGKILL)
        return await asyncio.shield(self.ended)

    @property
    def pid(self) -> int:
        assert self._watched is not None
        return self._watched.pid

    def memory_bytes(self) -> int | None:
        """Its resident memory; None where the system does not tell or the process is gone."""
        if self._watched is None or self.ended.done():
            return None
        try:
            pages = Path(f"/proc/{self._watched.pid}/statm").read_text(encoding="ascii").split()[1]
        except (OSError, IndexError):
            return None
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def _send(self, number: signal.Signals) -> None:
        if self._watched is None or self.ended.done():
            return
        self._watched.send(number)
        if not self._watched.running():
            self._on_end()

    def _open_pipes(self) -> None:
        for severity, path in self._paths.items():
            os.mkfifo(path, 0o600)
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            self._readers[descriptor] = _Lines(severity, self._on_line)
            self._loop.add_reader(descriptor, self._read, descriptor)

    def _attend(self, watched: Watched) -> None:
        self._watched = watched
        self._exit_descriptor = watched.fileno()
        self._loop.add_reader(self._exit_descriptor, self._on_end)

    def _read(self, descriptor: int) -> bool:
        """Read what is there; False when there is nothing more for now or for ever."""
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(descriptor)
            return False
        self._readers[descriptor].take(chunk)
        return True

    def _on_end(self) -> None:
        if self.ended.done():
            return
        assert self._watched is not None
        self._loop.remove_reader(self._exit_descriptor)
        exit_code = self._watched.exit_code
        assert exit_code is not None
        self._close_pipes()
        self.ended.set_result(exit_code)

    def _close_pipes(self) -> None:
        for descriptor, lines in self._readers.items():
            while self._read(descriptor):
                pass
            lines.finish()
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        self._readers.clear()
        for path in self._paths.values():
            path.unlink(missing_ok=True)


class _Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self, severity: str, on_line: OnLine) -> None:
        self._severity = severity
        self._on_line = on_line
        self._rest = b""

    def take(self, chunk: bytes) -> None:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._tell(line)

    def finish(self) -> None:
        if self._rest:
            self._tell(self._rest)
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        self._on_line(self._severity, line.decode(errors="replace").rstrip("\r"))

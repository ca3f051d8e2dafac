"""Runs one program and ends it when its owner is gone, however the owner went: the owner's life is a pipe.

Owner side: `Watched`. Other side: this file run as a script, with the standard library only, so that it starts in
about 15 ms. It starts the program, then waits for three things: the program's end, an order from the owner (the
name of a signal, one a line), and end of file, which the kernel delivers even after kill -9 of the owner.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

_PR_SET_PDEATHSIG = 1


class Watched:
    """A program that does not outlive this process.

    argv, env, cwd: of the program; log: file its standard output and error are appended to
    account:     (uid, gid) to run it as, None = ours
    last_signal: what it is sent when we are gone; after grace_s seconds more it is killed
    keep_open:   file descriptors the program inherits (a lock it shall hold while it lives)
    streams:     descriptors that become its standard input, output and error; None: nothing in, and all out to the log
    cut_off:     it, and all that it starts, may be reached and reaches nobody, where the system can see to that; the
                 attribute of the name tells whether it does
    Raises OSError where the program cannot be started at all.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        account: tuple[int, int] | None = None,
        last_signal: signal.Signals = signal.SIGTERM,
        grace_s: float = 5.0,
        keep_open: Sequence[int] = (),
        streams: tuple[int, int, int] | None = None,
        cut_off: bool = False,
    ) -> None:
        uid, gid = account or (-1, -1)
        settings = [last_signal.name, str(grace_s), str(uid), str(gid), _listed(keep_open), _listed(streams or ())]
        settings.append(str(Path(__file__).with_name("cut_off.py")) if cut_off else "")
        with log.open("ab") as sink:
            self._watcher = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, *settings, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=dict(env) if env is not None else None,
                cwd=cwd or "/",
                pass_fds=(*keep_open, *(streams or ())),
                start_new_session=True,
                bufsize=0,
            )
        self._exit_code: int | None = None
        first = self._stdout.readline().split()
        if len(first) != 3 or first[0] != b"pid":
            self._close()
            raise OSError(f"{argv[0]} could not be started.")
        self.pid = int(first[1])
        self.cut_off = first[2] == b"cut-off"

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._watcher.stdout is not None
        return self._watcher.stdout

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._watcher.stdin is not None
        return self._watcher.stdin

    def fileno(self) -> int:
        """Becomes readable when the program has ended; for select and event loops."""
        return self._stdout.fileno()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; otherwise its exit code, negative = ended by that signal."""
        return None if self.running() else self._exit_code

    def running(self) -> bool:
        return not self.wait(0.0)

    def wait(self, timeout_s: float) -> bool:
        """Wait until the program has ended; False when it still runs after timeout_s seconds."""
        if self._exit_code is not None:
            return True
        ready, _, _ = select.select([self._stdout], [], [], max(0.0, timeout_s))
        if not ready:
            return False
        words = self._stdout.readline().split()
        self._exit_code = int(words[1]) if len(words) == 2 else -signal.SIGKILL
        self._close()
        return True

    def send(self, number: signal.Signals) -> None:
        """Send the program a signal; nothing happens when it has already ended."""
        if self.running():
            with contextlib.suppress(BrokenPipeError):
                self._stdin.write(f"{number.name}\n".encode())

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """Send the signal, kill after timeout_s seconds; returns the exit code. Stopping twice is no error."""
        self.send(number)
        if not self.wait(timeout_s):
            self.send(signal.SIGKILL)
            self.wait(timeout_s)
        return self._exit_code if self._exit_code is not None else -signal.SIGKILL

    def _close(self) -> None:
        self._stdin.close()
        self._watcher.wait()
        self._stdout.close()

    def __enter__(self) -> Watched:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _listed(descriptors: Sequence[int]) -> str:
    return ",".join(map(str, descriptors))


def _numbers(listed: str) -> list[int]:
    return [int(number) for number in listed.split(",") if number]


def _become(uid: int, gid: int) -> None:
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def _death_notice() -> Callable[[signal.Signals], None]:
    """Linux only: should the watcher itself be killed, the kernel sends the program its last signal.

    Loaded before rights are dropped (the other account may not be able to read our library), used after: dropping
    rights clears the notice.
    """
    if sys.platform != "linux":
        return lambda _: None
    import ctypes

    control = ctypes.CDLL(None).prctl
    return lambda last_signal: control(_PR_SET_PDEATHSIG, int(last_signal), 0, 0, 0)


def _cutting_off(file: str) -> Callable[[], bool]:
    """What cuts this process off from others, made ready before rights are dropped; see `cut_off.py`."""
    if not file:
        return lambda: False
    import runpy

    ready: Callable[[], bool] = runpy.run_path(file)["cutting_off"]()
    return ready


def _run_program(
    argv: list[str],
    last_signal: signal.Signals,
    account: tuple[int, int],
    kept: list[int],
    streams: list[int],
    filter_file: str,
    tell: int,
    parent: int,
) -> None:
    """In the forked child: drop rights, restore the signals a background start leaves ignored, become the program."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    for place, descriptor in enumerate(streams or (os.open(os.devnull, os.O_RDONLY), 2)):
        os.dup2(descriptor, place)
    notify_of_death, cut_off = _death_notice(), _cutting_off(filter_file)
    _become(*account)
    notify_of_death(last_signal)
    os.write(tell, b"cut-off" if cut_off() else b"free")
    if os.getppid() != parent:
        os._exit(1)
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
    os.execvpe(argv[0], argv, os.environ)  # noqa: S606  the point of it: no shell between us and the program


def _watch(pid: int, last_signal: signal.Signals, grace_s: float) -> int:
    """Wait for the program's end and pass on orders; returns the program's wait status."""
    kill_at: float | None = None
    orders: list[int] = [0]
    pending = b""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if kill_at is not None and time.monotonic() >= kill_at:
            os.kill(pid, signal.SIGKILL)
            kill_at = None
        patience = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        ready, _, _ = select.select([ended, *orders], [], [], patience)
        if ended in ready:
            os.read(ended, 512)
        if 0 in ready:
            chunk = os.read(0, 512)
            pending += chunk
            if not chunk:
                orders = []
                os.kill(pid, last_signal)
                kill_at = time.monotonic() + grace_s
            *lines, pending = pending.split(b"\n")
            for line in lines:
                os.kill(pid, signal.Signals[line.decode()])


def _main(arguments: list[str]) -> int:
    name, grace, uid, gid, kept_text, streams_text, filter_file, *argv = arguments
    last_signal = signal.Signals[name]
    kept, streams = _numbers(kept_text), _numbers(streams_text)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watcher = os.getpid()
    hear, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _run_program(argv, last_signal, (int(uid), int(gid)), kept, streams, filter_file, tell, watcher)
        except Exception as error:
            os.write(2, f"{argv[0]} cannot be run ({type(error).__name__}: {error}).\n".encode())
        finally:
            os._exit(127)
    for descriptor in set(streams):
        os.close(descriptor)  # a reader at the other end must see the program's end, not ours
    os.close(tell)
    told = os.read(hear, 16).decode()  # nothing where the program cannot be run
    os.close(hear)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"pid {pid} {told or 'free'}\n".encode())
    code = os.waitstatus_to_exitcode(_watch(pid, last_signal, float(grace)))
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"exit {code}\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

"""Fixtures: a running dashboard of its own, and a way to see which processes belong to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROC = Path("/proc")


@dataclass
class Running:
    """A `python -m dashboard run` that was started with its home in `home`."""

    process: subprocess.Popen[str]
    home: Path
    out: Path
    err: Path

    @property
    def address(self) -> str:
        return re.findall(r"http://127\.0\.0\.1:\d+", self.out.read_text())[0]

    def until_ready(self, patience_s: float = 60) -> Running:
        wait_for(lambda: "http://" in self.out.read_text() or self.process.poll() is not None, patience_s)
        assert self.process.poll() is None, self.err.read_text()
        return self


def wait_for(condition: Callable[[], object], patience_s: float = 15) -> None:
    """Return when the condition holds; fail when it has not within the patience."""
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.03)


def alive(pid: int) -> bool:
    try:
        state = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def processes_of(home: Path) -> list[str]:
    """The command lines of every process that works for this home: its folder stands in their words or environment."""
    mark = str(home).encode()
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid() or not alive(int(entry.name)):
            continue
        try:
            words, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if mark in words or b"OPS_HOME=" + mark + b"\0" in environment:
            found.append(words.replace(b"\0", b" ").decode(errors="replace").strip())
    return found


def start_run(home: Path, *arguments: str, ignored: bool = False, **more: str) -> Running:
    """Start it in the background. ignored: with SIGINT ignored, as a shell's `&` does."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    out, err = home / "stdout", home / "stderr"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPS_")}
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", "run", *arguments],
            cwd=ROOT,
            env={**kept, "OPS_HOME": str(home), **more},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
            preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None,
        )
    return Running(process, home, out, err)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Makes folders that the account of a database server can reach, since pytest's own are private."""
    import shutil
    import tempfile

    base = Path(tempfile.mkdtemp(prefix="ops-test-"))
    base.chmod(0o711)
    yield lambda name: base / name
    shutil.rmtree(base, ignore_errors=True)

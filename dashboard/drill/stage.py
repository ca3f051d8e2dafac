"""The stage of a drill: a throw-away home with a sandbox in it; whatever happens, nothing of it stays behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import quote

from psycopg import conninfo

from dashboard.processes.home import ROOT
from services.database.server import SUPERUSER
from services.database.watcher import Watched
from services.errors import Unavailable
from services.settings import Settings, Target, load_settings
from services.store.database import Store, open_store

PREFIX = "ops-drill-"
LOCK = "drill.lock"
START_S = 40.0
SANDBOX = "sandbox"


@dataclass(frozen=True)
class Stage:
    """settings and store of the throw-away home; superuser_url: a way into the database that no product code takes."""

    home: Path
    settings: Settings
    store: Store
    superuser_url: str

    @property
    def target(self) -> Target:
        return self.settings.target(SANDBOX)


@contextmanager
def stage(environ: Mapping[str, str]) -> Iterator[Stage]:
    """A fresh sandbox, gone with all its files when the block is left, also by SIGINT, SIGTERM or SIGHUP.

    Raises Unavailable where the sandbox does not start; KeyboardInterrupt where a signal came.
    """
    _sweep(Path(tempfile.gettempdir()))
    with _signals_interrupt():
        home = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # The account that the database server runs as has to pass through.
            home.chmod(0o711)
            with _sandbox(home, environ):
                settings = load_settings({"OPS_HOME": str(home), "OPS_TARGET": SANDBOX}, home)
                store = open_store(settings.store_url)
                try:
                    yield Stage(home, settings, store, _superuser_url(home, settings.target(SANDBOX)))
                finally:
                    store.close()
        finally:
            shutil.rmtree(home, ignore_errors=True)
            os.close(lock)


@contextmanager
def _sandbox(home: Path, environ: Mapping[str, str]) -> Iterator[None]:
    kept = {key: value for key, value in environ.items() if not key.startswith("OPS_") or key == "OPS_POSTGRES_BIN"}
    log = home / "sandbox.log"
    child = Watched(
        [sys.executable, "-m", "dashboard", "sandbox", "start", "--world", "before"],
        log=log,
        env={**kept, "OPS_HOME": str(home), "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
    )
    try:
        deadline = time.monotonic() + START_S
        while not (home / "targets" / f"{SANDBOX}.json").exists():
            if child.wait(0.05) or time.monotonic() > deadline:
                raise Unavailable(
                    f"The drill's sandbox did not start: {_last_words(log)}",
                    "Nothing was drilled.",
                    "Try `python -m dashboard sandbox start` by itself.",
                )
        yield
    finally:
        child.stop(signal.SIGTERM)


def _superuser_url(home: Path, target: Target) -> str:
    """The address for the cluster's own superuser, whose password lies beside its data; it sees every table."""
    if target.deploy_url is None:
        raise Unavailable("The drill's sandbox names no database.", "Nothing was drilled.", "Look at its target file.")
    parts = conninfo.conninfo_to_dict(target.deploy_url.get_secret_value())
    password = (home / "sandbox" / "postgres.password").read_text(encoding="utf-8").strip()
    return f"postgresql://{SUPERUSER}:{quote(password, safe='')}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return " ".join(line.strip() for line in lines[-5:] if line.strip()) or "it said nothing."


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Within the block the three signals raise KeyboardInterrupt, even where the process inherited them ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sweep(folder: Path) -> None:
    """Delete what a drill left behind that was killed: its lock is free, and its processes went with it."""
    for left in folder.glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError), left.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)

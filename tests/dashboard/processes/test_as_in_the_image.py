"""What the image does, without an engine: only what it copies, unwritable, as an account without rights."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.processes.ports import listen
from tests.campaign import only_in_full
from tests.conftest import open_folder
from tests.dashboard.processes.conftest import ROOT
from tests.repository.test_container import copied

NOBODY = 65534
PACKAGES = next(place for place in site.getsitepackages() if place.endswith("site-packages"))


def interpreter() -> str:
    """A Python of our version that any account may run."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if os.geteuid() == 0:
        for found in (str(Path(sys.executable).resolve()), f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
            with contextlib.suppress(OSError):
                subprocess.run([found, "-c", ""], user=NOBODY, group=NOBODY, check=True)
                return found
    pytest.skip("needs root, and a Python that others may run")


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[Path, Path]]:
    """The folder that the Dockerfile fills, and a home; only the second can be written to."""
    with open_folder() as folder:
        app, home = folder / "app", folder / "home"
        for source, _ in copied():
            place = app / source
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy(ROOT / source, place)
        home.mkdir(mode=0o700)
        os.chown(home, NOBODY, NOBODY)
        for path in [app, *app.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield app, home


def command(image: tuple[Path, Path], *words: str) -> dict[str, object]:
    app, home = image
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "OPS_HOME": str(home),
        "PYTHONPATH": PACKAGES,
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPS_TARGETS__STAGING__APP_URL": "http://127.0.0.1:9",
        "OPS_TARGET": "staging",
    }
    return {"args": [interpreter(), *words], "cwd": app, "env": environ, "user": NOBODY, "group": NOBODY}


@contextlib.contextmanager
def running(image: tuple[Path, Path], *words: str) -> Iterator[dict[str, str]]:
    errors = (image[1].parent / f"{words[0]}.log").open("w+")
    process = subprocess.Popen(  # type: ignore[call-overload]
        **command(image, "-m", "dashboard", *words, "--json"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        extra_groups=[],
    )
    try:
        line = process.stdout.readline()
        errors.seek(0)
        assert line.rstrip().endswith("}"), line + process.stdout.read() + errors.read()
        yield json.loads(line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        errors.seek(0)
        assert "Traceback" not in errors.read()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        errors.close()


def is_well(image: tuple[Path, Path], part: str, port: int) -> bool:
    done = subprocess.run(  # type: ignore[call-overload]
        **command(image, "deploy/healthcheck.py", part, str(port)),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return bool(done.returncode == 0)


@only_in_full
def test_worker_and_pages_work_and_their_health_is_seen(image: tuple[Path, Path]) -> None:
    with listen(None) as free:
        port = free.getsockname()[1]
    assert not is_well(image, "worker", port)
    assert not is_well(image, "web", port)
    with running(image, "worker") as told:
        assert told["worker"]
        assert is_well(image, "worker", port)
        with running(image, "web", "--port", str(port)) as said:
            assert said["address"] == f"http://127.0.0.1:{port}"
            assert is_well(image, "web", port)
    assert not is_well(image, "web", port)
    assert not is_well(image, "worker", port)
    assert not list(image[0].rglob("__pycache__"))

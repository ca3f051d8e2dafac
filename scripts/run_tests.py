"""Runs pytest with a Chromium for the browser tests: found, else installed; where there is none, it says so.

`--only-install` does no more than that, and compiles what the tests import, so that the linters can run meanwhile.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.memory_folder import memory_folder  # noqa: E402  found from there, also when this file is run

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ONLY_INSTALL = "--only-install"
SETTING = "OPS_CHROMIUM"
"""The variable that names the browser, for the tests; it may also be set by hand."""
AS_IT_COMES = ("PYTHONDONTWRITEBYTECODE",)
"""Not handed on: the tests start hundreds of Pythons, each of which would compile all our modules anew."""


def main(arguments: list[str]) -> int:
    environ = {name: value for name, value in os.environ.items() if name not in AS_IT_COMES}
    if arguments == [ONLY_INSTALL]:
        _compile(environ)
        install()
        return 0
    install()
    browser = find_browser()
    selection: list[str] = []
    if browser is None:
        if environ.get("CI", "").lower() in ("1", "true", "yes"):
            _say_loudly("No Chromium is to be had on this machine, and under CI the browser tests must run.")
            return 1
        _say_loudly("No Chromium is to be had on this machine: THE BROWSER TESTS ARE LEFT OUT.")
        selection = ["-m", "not browser"]
    else:
        environ[SETTING] = browser
    sys.stdout.flush()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "3",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        *selection,
        *arguments,
    ]
    with memory_folder() as folder:
        return _run(command, environ if folder is None else {**environ, "TMPDIR": str(folder)})


def _run(command: list[str], environ: dict[str, str]) -> int:
    """Run it to its end, whatever we are told meanwhile: what we leave in the memory is ours to remove."""
    told: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        for one in running:
            one.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGHUP, pass_on)
    child = subprocess.Popen(command, env=environ)
    running.append(child)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells the child as well
    if told:
        child.send_signal(told[-1])
    ended = child.wait()
    return ended if ended >= 0 else 128 - ended


def _compile(environ: dict[str, str]) -> None:
    """Collect once, which leaves the bytecode of every test: else each of the processes makes it for itself."""
    subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq"], env=environ, check=False, stdout=subprocess.DEVNULL
    )


def find_browser() -> str | None:
    """The path of a Chromium that starts: named, on the PATH, of playwright's, or installed here and now."""
    found = _found()
    if found:
        return found
    _say("Installing Chromium with playwright ...")
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False, stdout=sys.stderr)
    return _of_playwright()


def _found() -> str | None:
    named = os.environ.get(SETTING)
    if named and _starts(named):
        return named
    return _on_the_path() or _of_playwright()


def install() -> None:
    """What the tests need of the system, where we may: a Chromium, and pgbouncer, a real transaction pooler.

    Where pgbouncer cannot be had, its tests are skipped and say so.
    """
    missing = [] if _found() else ["chromium"]
    if shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        missing.append("pgbouncer")
    if missing:
        _install(missing)


def _install(packages: list[str]) -> None:
    """Install Debian's packages, where we may."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    _say(f"Installing {' and '.join(packages)} with apt-get ...")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *step], check=False, stdout=sys.stderr, env=environ)


def _on_the_path() -> str | None:
    for name in NAMES:
        path = shutil.which(name)
        if path and _starts(path):
            return path
    return None


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() and _starts(path) else None


def _starts(path: str) -> bool:
    """Whether it is a browser and not a stub that only tells how to install one."""
    try:
        ran = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0 and b"Chrom" in ran.stdout


def _say_loudly(sentence: str) -> None:
    line = "!" * max(60, len(sentence))
    _say(f"{line}\n{sentence}\n{line}")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201  a script's voice


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

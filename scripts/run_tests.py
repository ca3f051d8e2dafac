"""Runs pytest with a Chromium for the browser tests: found, else installed; where there is none, it says so.

`--only-install` does no more than that, so that the linters can run meanwhile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ONLY_INSTALL = "--only-install"
SETTING = "OPS_CHROMIUM"
"""The variable that names the browser, for the tests; it may also be set by hand."""


def main(arguments: list[str]) -> int:
    if arguments == [ONLY_INSTALL]:
        install()
        return 0
    environ = dict(os.environ)
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
    os.execve(sys.executable, command, environ)  # noqa: S606  the last line is to be pytest's own
    return 1


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

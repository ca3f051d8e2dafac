"""Runs pytest with a Chromium for the browser tests: found, else installed; where there is none, it says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SETTING = "OPS_CHROMIUM"
"""The variable that names the browser, for the tests; it may also be set by hand."""


def main(arguments: list[str]) -> int:
    environ = dict(os.environ)
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
    install_pooler()
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
    named = os.environ.get(SETTING)
    if named and _starts(named):
        return named
    found = _on_the_path() or _of_playwright()
    if found:
        return found
    if _install("chromium"):
        found = _on_the_path()
        if found:
            return found
    _say("Installing Chromium with playwright ...")
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False, stdout=sys.stderr)
    return _of_playwright()


def install_pooler() -> None:
    """pgbouncer, a real transaction pooler; where it cannot be had, its two tests are skipped and say so."""
    if shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        _install("pgbouncer")


def _install(package: str) -> bool:
    """Install one of Debian's packages; False where we may not, or where it failed."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    _say(f"Installing {package} with apt-get ...")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
        done = subprocess.run(["apt-get", *step], check=False, stdout=sys.stderr, env=environ)
    return done.returncode == 0


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

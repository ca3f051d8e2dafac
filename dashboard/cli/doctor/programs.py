"""The programs we lean on: Python, the pinned packages, Postgres's own tools against the servers they are for."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from services.database.backup.programs import tools_for
from services.database.binaries import find_binaries
from services.errors import OpsError

OLDEST_PYTHON = (3, 11)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s#]+)")


def program_problems(root: Path) -> Iterator[OpsError]:
    """What is wrong with the programs here, whatever target there is. root: holds requirements.txt."""
    yield from python_problems(sys.version_info[:2])
    wanted = pins((root / "requirements.txt").read_text(encoding="utf-8"))
    yield from package_problems(wanted, {name: _installed(name) for name in wanted})
    try:
        find_binaries()
    except OpsError as error:
        yield error
    if not (Path(sys.executable).parent / "squawk").exists() and shutil.which("squawk") is None:
        yield OpsError("squawk is not installed.", "`lint` finds less.", "Run `make setup`.")


def python_problems(version: tuple[int, ...]) -> Iterator[OpsError]:
    if version < OLDEST_PYTHON:
        shown = ".".join(map(str, version))
        yield OpsError(f"Python {shown} is too old.", "Nothing is certain to work.", "Use 3.11 or newer.")


def pins(requirements: str) -> dict[str, str]:
    """Package to the version that is pinned."""
    found = (_PIN.match(line.strip()) for line in requirements.splitlines())
    return {pin[1]: pin[2] for pin in found if pin}


def package_problems(wanted: Mapping[str, str], installed: Mapping[str, str | None]) -> Iterator[OpsError]:
    """One for all packages that are not installed as they are pinned."""
    off = [
        f"{name} {installed.get(name) or 'is missing'} (pinned: {version})"
        for name, version in wanted.items()
        if installed.get(name) != version
    ]
    if off:
        yield OpsError(
            f"Installed otherwise than pinned: {', '.join(off)}.",
            "What we promise was tried out with the pinned versions only.",
            "Run `make setup`.",
            place="requirements.txt",
        )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def server_problems(
    target: str,
    major: int,
    *,
    for_backups: bool,
    rehearse: Callable[[int], object] = find_binaries,
    dump: Callable[[int], object] = tools_for,
) -> Iterator[OpsError]:
    """What the Postgres programs here lack for a target's server of this major version."""
    try:
        rehearse(major)
        if for_backups:
            dump(major)
    except OpsError as error:
        what = f"{target} runs Postgres {major}: {error.what}"
        yield OpsError(what, error.means, error.do, place=error.place or f"targets.{target}")

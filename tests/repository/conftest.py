"""Fixtures: the files that are part of the project, as git sees them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file that is committed or would be; where there is no git, every file outside hidden folders."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.splitlines()]
    else:
        hidden = (".venv", ".ops", ".git", "__pycache__")
        found = [path for path in ROOT.rglob("*") if not any(part in hidden for part in path.relative_to(ROOT).parts)]
    return [path for path in found if path.is_file()]


@pytest.fixture(scope="session")
def texts(files: list[Path]) -> dict[Path, str]:
    """The text files of the project; data files that were taken over as they are left out."""
    found: dict[Path, str] = {}
    for path in files:
        if path.relative_to(ROOT).as_posix().startswith("services/sandbox/data/"):
            continue
        try:
            found[path] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found

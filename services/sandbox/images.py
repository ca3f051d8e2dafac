"""Builds images: a folder with the packages that a commit requires, as an installer would leave them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import uuid4

from services.sandbox.deployment import Image
from services.sandbox.twin_definition import Build

PROJECT = Path(__file__).resolve().parents[2]
_VERSION = re.compile(r'^__version__ = "([^"]+)"', re.MULTILINE)


class Images:
    """Images under one folder, and what the commits in the repository are like just now.

    A package comes from the folder `packages` beside the module that serves the build.
    A commit can forget a package, as when it was left out of the requirements: its images are built without it.
    A commit can be spoiled with defects of its code, by name: they are baked into its images.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._forgotten: set[tuple[str, str]] = set()
        self._defects: set[tuple[str, str]] = set()

    def forget(self, commit: str, package: str) -> None:
        self._forgotten.add((commit, package))

    def recall(self, commit: str, package: str) -> None:
        self._forgotten.discard((commit, package))

    def forgets(self, commit: str, package: str) -> bool:
        return (commit, package) in self._forgotten

    def spoil(self, commit: str, defect: str) -> None:
        self._defects.add((commit, defect))

    def mend(self, defect: str) -> frozenset[str]:
        """Take the defect out of every commit that has it; which ones had."""
        had = frozenset(commit for commit, known in self._defects if known == defect)
        self._defects -= {(commit, defect) for commit in had}
        return had

    def defects(self, commit: str) -> tuple[str, ...]:
        return tuple(sorted(defect for known, defect in self._defects if known == commit))

    def build(self, build: Build, say: Callable[[str], None], *, defects: Iterable[str] | None = None) -> Image:
        """defects: other ones than the commit has now. Raises FileNotFoundError where a package is not to be had."""
        image_id = uuid4().hex[:12]
        folder = self._home / image_id
        folder.mkdir(parents=True)
        say(f"Using commit {build.commit[:7]}: {build.message}")
        packages: dict[str, str] = {}
        for name in build.requires:
            if self.forgets(build.commit, name):
                continue
            source = package_source(build, name)
            packages[name] = package_version(source)
            say(f"Collecting {name}=={packages[name]}")
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        if packages:
            say("Successfully installed " + " ".join(f"{name}-{version}" for name, version in packages.items()))
        say(f"Built image {image_id}")
        return Image(image_id, folder, packages, tuple(self.defects(build.commit) if defects is None else defects))

    def clear(self) -> None:
        self._forgotten.clear()
        self._defects.clear()
        shutil.rmtree(self._home, ignore_errors=True)


def package_source(build: Build, name: str) -> Path:
    source = PROJECT.joinpath(*build.module.split(".")).parent / "packages" / name
    if not (source / "__init__.py").is_file():
        raise FileNotFoundError(f"No matching distribution found for {name}")
    return source


def package_version(source: Path) -> str:
    found = _VERSION.search((source / "__init__.py").read_text(encoding="utf-8"))
    return found[1] if found else "0"

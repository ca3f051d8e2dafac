"""A release as its files: found by id, folder or script; loaded, validated, hashed, and loaded again from bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path

from services.database.history.migrations import Migration, are_migrations, migrations_of
from services.database.script import Script, text_of
from services.database.verification import Query
from services.errors import NotUnderstood
from services.releases.schema import Phase, ReleaseDocument, Step, is_slug
from services.releases.validation import CHECKLIST, FOLDERS, Known, Problem, proves, read

__all__ = [
    "CHECKLIST",
    "Phase",
    "Problem",
    "Release",
    "Step",
    "load_release",
    "release_from_files",
    "release_ids",
    "validate",
]


@dataclass(frozen=True)
class Release:
    """A change as it stands in its files.

    id:       the folder's id, or the stem of a plain script
    checklist: None for a plain script, and for a folder of migrations, which have no steps and no rollback
    files:    name ("deploy/010_guard.sql") to content; enough to load the release again
    folder:   where it was loaded from; None when it came from stored bytes
    """

    id: str
    checklist: ReleaseDocument | None
    files: Mapping[str, bytes]
    folder: Path | None = None

    @property
    def title(self) -> str:
        return self.checklist.title if self.checklist else self.id

    @property
    def risk(self) -> str | None:
        """The team's own estimate: low, medium or high; None for a plain script."""
        return self.checklist.risk if self.checklist else None

    @property
    def expected_minutes(self) -> int | None:
        return self.checklist.expected_minutes if self.checklist else None

    @property
    def phases(self) -> tuple[Phase, ...]:
        return self.checklist.phases if self.checklist else ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order of the checklist."""
        return tuple(step for phase in self.phases for step in phase.steps)

    @cached_property
    def deploy(self) -> tuple[Script, ...]:
        """The scripts that make the change, in name order."""
        return tuple(self._scripts("deploy")) or tuple(_script(name, data) for name, data in self.files.items())

    @cached_property
    def migrations(self) -> tuple[Migration, ...]:
        """The migrations of a folder of them, in the order of their names; empty for any other release.

        Which of them a target has not had yet is told by `services.releases.pending`.
        """
        if self.checklist is not None or not are_migrations(self.files):
            return ()
        return migrations_of([_script(name, data) for name, data in self.files.items()])

    @cached_property
    def verify(self) -> tuple[Query, ...]:
        """The verification queries, in name order; each is healthy when it returns no row."""
        return tuple(Query(Path(x.file).stem, x.file, x.sql, proves(x.sql)) for x in self._scripts("verify"))

    @cached_property
    def rollback(self) -> tuple[Script, ...]:
        """The scripts that take the change back, in name order; empty for a plain script."""
        return tuple(self._scripts("rollback"))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) over the names and bytes of all files: what a run and a rehearsal are pinned to."""
        total = hashlib.sha256()
        for name in sorted(self.files):
            # Lengths keep a name apart from its content, so that no two sets of files are read as one.
            total.update(f"{len(name.encode())}:{name}:{len(self.files[name])}:".encode())
            total.update(self.files[name])
        return total.hexdigest()

    def step(self, step_id: str) -> Step:
        """One step. Raises NotUnderstood for an id the checklist does not have."""
        for step in self.steps:
            if step.id == step_id:
                return step
        near = get_close_matches(step_id, [step.id for step in self.steps], 1)
        do = f"Did you mean '{near[0]}'?" if near else "The checklist lists the steps."
        raise NotUnderstood(f"{self.id} has no step '{step_id}'.", do=do, place="step")

    def _scripts(self, folder: str) -> Iterator[Script]:
        for name in sorted(self.files):
            if name.startswith(f"{folder}/"):
                yield _script(name, self.files[name])


def _script(name: str, data: bytes) -> Script:
    return Script(name, text_of(name, data))


def load_release(
    reference: str | Path,
    *,
    root: Path | None = None,
    known_checks: Collection[str] | None = None,
    known_actions: Collection[str] | None = None,
) -> Release:
    """Load a release by its id (looked up in `root`), its folder, or a plain .sql file.

    known_checks, known_actions: what steps may name; None leaves that to `validate`.
    Raises NotUnderstood with every problem at once; its place is the first one's file and line.
    """
    path = _find(reference, root)
    files = _read_files(path)
    if path.is_file():
        return _plain(files)
    if CHECKLIST not in files and are_migrations(files):
        return _migrations(path, files)
    if in_the_way := _in_the_way(path, files):
        raise _refusal(path.name, in_the_way)
    document, problems = read(files, Known(known_checks, known_actions))
    if problems or document is None:
        raise _refusal(path.name, problems)
    return Release(document.id, document, files, path)


def release_from_files(files: Mapping[str, bytes]) -> Release:
    """Load a release from bytes that were stored when a run was pinned. Raises NotUnderstood as `load_release`."""
    return _from_stored(tuple(sorted(files.items())))


# A pinned release is read for every view of its run and never changes; reading it anew takes 50 ms.
@lru_cache(maxsize=16)
def _from_stored(items: tuple[tuple[str, bytes], ...]) -> Release:
    files = dict(items)
    if CHECKLIST not in files and not any("/" in name for name in files):
        return _plain(files)
    document, problems = read(files, Known())
    if problems or document is None:
        raise _refusal("the stored release", problems)
    return Release(document.id, document, files)


def validate(
    path: Path,
    known_checks: Collection[str] | None,
    known_actions: Collection[str] | None,
    *,
    known_playbooks: Collection[str] | None = None,
    known_links: Collection[str] | None = None,
) -> list[Problem]:
    """Everything that is wrong with a release folder, by file and line.

    A plain script has no structure that could be wrong: NotUnderstood if it is not text.
    """
    files = _read_files(path)
    if path.is_file():
        _plain(files)
        return []
    if CHECKLIST not in files and are_migrations(files):
        _migrations(path, files)
        return []
    if in_the_way := _in_the_way(path, files):
        return in_the_way
    return read(files, Known(known_checks, known_actions, known_playbooks, known_links))[1]


def release_ids(root: Path) -> list[str]:
    """The ids of the releases in a folder of releases, in name order."""
    return sorted(entry.name for entry in root.iterdir() if (entry / CHECKLIST).is_file()) if root.is_dir() else []


def _find(reference: str | Path, root: Path | None) -> Path:
    path = Path(reference)
    if root is not None and isinstance(reference, str) and is_slug(reference) and (root / reference).is_dir():
        return root / reference
    if path.is_dir() or (path.is_file() and path.suffix == ".sql"):
        return path
    if path.is_file():
        raise NotUnderstood(f"{path.name} is neither a release folder nor a .sql file.", "Nothing was done.", _OFFER)
    ids = release_ids(root) if root else []
    near = get_close_matches(str(reference), ids, 1)
    do = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(ids)}." if ids else _OFFER
    raise NotUnderstood(f"There is no release '{reference}'.", "Nothing was done.", do, place="release")


_OFFER = "Give a release's id, its folder, a folder of migrations, or a .sql file."


def _read_files(path: Path) -> dict[str, bytes]:
    folder = folder_of_files(path)
    if path.is_file():
        files = [path]
    elif _has_structure(path):
        files = [*(file for below in FOLDERS for file in sorted((path / below).glob("*.sql"))), path / CHECKLIST]
    else:
        files = sorted(folder.glob("*.sql"))
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.is_file()}


def folder_of_files(path: Path) -> Path:
    """Where the names of a release's files begin. path: what `load_release` was given, as a path.

    For a project with migrations that is the folder of these, wherever below the project it lies.
    """
    if path.is_file():
        return path.parent
    below = [] if _has_structure(path) else [path / name for name in _MIGRATIONS]
    return next((folder for folder in below if folder.is_dir()), path)


def _has_structure(path: Path) -> bool:
    """True for a folder with a checklist, or with scripts in the folders that go with one."""
    return (path / CHECKLIST).is_file() or any(any((path / folder).glob("*.sql")) for folder in FOLDERS)


_MIGRATIONS = ("supabase/migrations", "migrations")
"""Where the folder of a project keeps its migrations."""


def _migrations(path: Path, files: Mapping[str, bytes]) -> Release:
    """A folder of migrations, named after its project."""
    parts = [part for part in path.resolve().parts if part not in ("migrations", "supabase")]
    release = Release(parts[-1] if parts else path.name, None, dict(files), path)
    release.migrations  # noqa: B018 - two of one version, or a file that is no text, are told now
    return release


def _in_the_way(path: Path, files: Mapping[str, bytes]) -> list[Problem]:
    """Files of other names beside migrations. They are not left out: a migration with a slip in its name is one."""
    if _has_structure(path) or not any(are_migrations([name]) for name in files):
        return []
    return [
        Problem(
            name,
            1,
            "not-a-migration",
            f"{name} lies beside migrations and is not named like one, so it is not known whether it is to be run.",
            "Name it like 20260131120000_add_notes.sql, or move it out of the folder.",
        )
        for name in sorted(files)
        if not are_migrations([name])
    ]


def _plain(files: Mapping[str, bytes]) -> Release:
    name, data = next(iter(files.items()))
    text_of(name, data)
    return Release(Path(name).stem, None, dict(files))


def _refusal(name: str, problems: list[Problem]) -> NotUnderstood:
    first, rest = problems[0], problems[1:]
    count = "one problem" if not rest else f"{len(problems)} problems"
    more = "".join(f" {problem.place}: {problem.message} {problem.fix}" for problem in rest)
    return NotUnderstood(
        f"{name} has {count}: {first.message}", "Nothing was done.", first.fix + more, place=first.place
    )

"""Knows in which ways a folder of migrations and what a target lists tell two different stories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg

from services.database.history.migrations import Migration, Recorded, bare, by_name, load_migrations, recorded
from services.database.psql_cutter import TokenKind, tokens

Kind = Literal["file-missing", "out-of-order", "changed", "renamed"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """One place where the folder and the target disagree. file: None where there is none."""

    kind: Kind
    version: str
    message: str
    file: str | None = None

    def to_json(self) -> dict[str, str | None]:
        return {"kind": self.kind, "version": self.version, "message": self.message, "file": self.file}


def divergence(conn: psycopg.Connection[Any], folder: Path) -> tuple[Divergence, ...]:
    """How the folder differs from what the target lists; nothing where it keeps no list.

    Raises as `load_migrations` and `recorded` do.
    """
    migrations = load_migrations(folder)
    had = recorded(conn)
    return () if had is None else compare(migrations, had)


def compare(migrations: Sequence[Migration], had: Sequence[Recorded]) -> tuple[Divergence, ...]:
    """Every disagreement, in the order of versions. Pending migrations that come after all that were had are none."""
    files = {migration.version: migration for migration in migrations}
    newest = max((one.version for one in had if one.version.isdecimal()), key=by_name, default=None)
    listed = {one.version for one in had}
    found = [_missing(one) for one in had if one.version not in files]
    if newest is not None:
        before = [m for m in migrations if by_name(m.version) < by_name(newest)]
        found += [_late(m, newest) for m in before if m.version not in listed]
    for one in had:
        if one.version in files:
            found += _differing(files[one.version], one)
    return tuple(sorted(found, key=lambda d: (d.version, d.kind)))


def _missing(one: Recorded) -> Divergence:
    named = f" ({one.name})" if one.name else ""
    message = f"The target has had the migration {one.version}{named}, and the folder has no file for it."
    return Divergence("file-missing", one.version, message)


def _late(migration: Migration, newest: str) -> Divergence:
    message = f"{migration.script.file} was not made on the target, which has had later ones up to {newest}."
    return Divergence("out-of-order", migration.version, message, migration.script.file)


def _differing(migration: Migration, one: Recorded) -> Iterator[Divergence]:
    file = migration.script.file
    if one.name is not None and one.name != migration.name:
        message = f"{file} was made on the target under the name {one.name}."
        yield Divergence("renamed", one.version, message, file)
    if one.statements is not None and _words(one.statements) != _words(migration.statements):
        message = f"{file} says something else than what was made on the target under its version."
        yield Divergence("changed", one.version, message, file)


def _words(statements: Iterable[str]) -> list[bytes]:
    """What the statements say, without comments, blanks and the semicolons between them."""
    silent = (TokenKind.BLANK, TokenKind.COMMENT)
    found: list[bytes] = []
    for statement in statements:
        raw = bare(statement).encode()
        words = [raw[token.start : token.end] for token in tokens(raw) if token.kind not in silent]
        found += [*words, b";"] if words else []
    return found

"""Knows the words for what a statement does to what is there: drops, deletes, changes, renames, makes, or conceals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """One object by the words of a statement. arguments: of a function its input types; None: it was named without."""

    names: tuple[str, ...]
    arguments: tuple[TypeName, ...] | None = ()


@dataclass(frozen=True, slots=True)
class TypeName:
    names: tuple[str, ...]
    is_array: bool = False

    def text(self) -> str:
        quoted = ".".join('"' + part.replace('"', '""') + '"' for part in self.names)
        return quoted + ("[]" if self.is_array else "")


@dataclass(frozen=True, slots=True)
class Drop:
    """The objects that one statement drops together. only: leave inheritance children alone."""

    kind: str
    objects: tuple[Named, ...]
    cascade: bool
    only: bool = False


@dataclass(frozen=True, slots=True)
class DropOwned:
    roles: tuple[str, ...]
    cascade: bool


@dataclass(frozen=True, slots=True)
class DropRole:
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Truncate:
    tables: tuple[tuple[tuple[str, ...], bool], ...]
    """Names of each, and whether ONLY it."""
    cascade: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that a statement deletes or changes.

    select: FROM and WHERE that find these very rows, the table by the name `alias`; None where the text does not tell
    which rows. before: the statement's own WITH. whole: every row of the table. columns: what an UPDATE sets.
    functions: what the conditions call.
    """

    effect: str
    names: tuple[str, ...]
    only: bool
    select: str | None
    alias: str = ""
    whole: bool = False
    columns: tuple[str, ...] = ()
    functions: tuple[tuple[str, ...], ...] = ()
    before: str = ""


@dataclass(frozen=True, slots=True)
class Rename:
    """A relation, or one column of it, gets another name or schema."""

    names: tuple[str, ...]
    column: str | None
    name: str | None
    schema: str | None


@dataclass(frozen=True, slots=True)
class Make:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MakeFunction:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchPath:
    schemas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A DO block; its statements are read elsewhere."""

    language: str
    body: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function or procedure that a statement calls; what it does stands in its body."""

    names: tuple[str, ...]
    arguments: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """A statement whose effect its text does not tell."""

    what: str


Deed = Drop | DropOwned | DropRole | Truncate | Rows | Rename | Make | MakeFunction | SearchPath | Block | Call | Opaque

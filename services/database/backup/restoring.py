"""Knows how an encrypted backup becomes a database again: what is wanted of it, and pg_restore fed from the file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from services.database.backup.encryption import Identity, NotOpened, decrypt
from services.database.backup.programs import Program, Tools
from services.database.backup.streams import Hashed, ToProgram
from services.database.execution import Cancelled, Emit
from services.errors import Refused

Identities = Sequence[Identity]
Wanted = Callable[["Entry"], bool]

_RESTORE_S = 4 * 3600.0
_ENTRY = re.compile(r"^\d+; \d+ \d+ (?P<what>.+)$")
_DATA = re.compile(r'processing data for table "(.+)"')


class Entry:
    """One line of an archive's table of contents: "TABLE public users postgres", "COMMENT - EXTENSION pgcrypto "."""

    def __init__(self, line: str, what: str) -> None:
        self.line = line
        self.what = what

    def is_of(self, *kinds: str) -> bool:
        """Whether it makes such a thing, or comments on one."""
        return any(self.what.startswith((f"{kind} ", f"COMMENT - {kind} ", f"ACL - {kind} ")) for kind in kinds)

    @property
    def extension(self) -> str | None:
        """The extension that it makes or comments on; None for anything else."""
        found = re.match(r"(?:EXTENSION - |COMMENT - EXTENSION )(.+?) *$", self.what)
        return found[1] if found else None

    def is_named(self, kind: str, names: Sequence[str]) -> bool:
        """Whether it makes, comments on or gives rights on one of these things outside all schemas."""
        return any(
            f"{self.what} ".startswith((f"{kind} - {name} ", f"COMMENT - {kind} {name} ", f"ACL - {kind} {name} "))
            for name in names
        )


def table_of_contents(file: Path, identities: Identities, tools: Tools, cancelled: Cancelled) -> list[Entry]:
    """What the archive in an encrypted file holds, in its order. Raises Refused where it holds none."""
    lines = _listed(file, identities, tools, cancelled)
    found = [Entry(line, match["what"]) for line in lines if (match := _ENTRY.match(line))]
    if not found:
        raise Refused(
            f"{file.name} opens, and what it holds is no archive of pg_dump.",
            "Nothing was restored.",
            "Take a file that `backup` has written.",
            place=str(file),
        )
    return found


def _listed(file: Path, identities: Identities, tools: Tools, cancelled: Cancelled) -> list[str]:
    given, give = os.pipe()
    with tempfile.TemporaryFile() as told:
        listing = Program([str(tools.pg_restore), "--list"], stdin=given, stdout=os.dup(told.fileno()))
        feeding = ToProgram(give, cancelled)
        with listing:
            try:
                _feed(file, identities, feeding, until_left=True)
            finally:
                feeding.close()
            if listing.wait(cancelled):
                raise listing.complaint(f"{file.name} could not be read")
        told.seek(0)
        return told.read().decode(errors="replace").splitlines()


class _Enough(Exception):
    """The program has all it wanted of the file."""


def _feed(file: Path, identities: Identities, feeding: ToProgram, *, until_left: bool = False) -> str:
    """Decrypt the file into a program; returns the SHA-256 of what was read."""

    class Fed:
        def write(self, data: bytes) -> int:
            size = feeding.write(data)
            if until_left and feeding.left:
                raise _Enough
            return size

    with file.open("rb") as source:
        hashed = Hashed(source)
        try:
            decrypt(hashed, Fed(), identities)
        except _Enough:
            return ""
        except NotOpened as error:
            raise Refused(
                f"{file.name} broke off while it was read ({error.reason}).", "", "Take another backup.", str(file)
            ) from None
        return hashed.digest


def restore_entries(
    url: str,
    file: Path,
    identities: Identities,
    tools: Tools,
    *,
    entries: Sequence[Entry],
    options: Sequence[str],
    tables: int,
    emit: Emit,
    cancelled: Cancelled,
) -> str:
    """Restore these entries into the database behind `url` in one transaction: all of them, or nothing.

    tables: of how many, for progress. Returns the SHA-256 of the file as it was read.
    Raises Refused or Unavailable for what pg_restore complains of, Stopped when cancelled.
    """
    seen = 0

    def told(line: str) -> None:
        nonlocal seen
        if found := _DATA.search(line):
            seen += 1
            emit("table", {"doing": "restore", "name": found[1], "index": min(seen, tables), "of": tables})

    given, give = os.pipe()
    with tempfile.TemporaryFile() as wanted:
        wanted.write("\n".join([*(entry.line for entry in entries), ""]).encode())
        wanted.seek(0)
        program = Program(
            [
                *(str(tools.pg_restore), "--single-transaction", "--exit-on-error", "--verbose", *options),
                f"--use-list=/dev/fd/{wanted.fileno()}",
            ],
            url=url,
            stdin=given,
            keep_open=[wanted.fileno()],
            told=told,
        )
        feeding = ToProgram(give, cancelled)
        with program:
            try:
                digest = _feed(file, identities, feeding)
            finally:
                feeding.close()
            if program.wait(cancelled, patience_s=_RESTORE_S):
                raise program.complaint(f"{file.name} could not be restored")
    return digest

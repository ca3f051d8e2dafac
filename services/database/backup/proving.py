"""Knows how to prove a backup: the file is opened, restored, and its rows are counted and hashed again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from services.database.backup.contents import (
    LARGE_OBJECTS,
    comparable,
    hash_rows,
    sequence_positions,
    write_values_alike,
)
from services.database.backup.encryption import NotOpened, decrypt
from services.database.backup.manifest import Manifest, Proof
from services.database.backup.programs import Tools, tools_for
from services.database.backup.restoring import Identities, restore_entries, table_of_contents
from services.database.backup.streams import Hashed, Nowhere
from services.database.connect import connect, patient
from services.database.execution import Cancelled, Emit, never, silent
from services.database.fingerprint import Fingerprint, catalog_fingerprint, difference
from services.database.server import Server, scratch_server
from services.errors import OpsError, Refused
from services.verdict import Verdict

Clock = Callable[[], datetime]

_DATABASE = "restored"
_SCRATCH = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_locks_per_transaction": "1024",
    "maintenance_work_mem": "128MB",
}
_NOT_RESTORED = ("EVENT TRIGGER", "PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "SUBSCRIPTION")


def examine(file: Path, manifest: Manifest, identities: Identities) -> None:
    """See that the file is the one the manifest describes, whole, and opens with one of these identities.

    Raises Refused with the sentence that fits: not there, damaged, cut off, another backup's manifest, a wrong key.
    """
    opened: str | None = None
    try:
        with file.open("rb") as source:
            hashed = Hashed(source)
            try:
                decrypt(hashed, Nowhere(), identities)
            except NotOpened as error:
                opened = error.reason
            while hashed.read(1 << 20):
                continue
    except OSError:
        raise _refused(file, "is not there or cannot be read", "Name the file of a backup.") from None
    if hashed.digest == manifest.sha256 and opened is None:
        return
    if opened is None:
        raise _refused(
            file,
            f"is whole, but it is not the backup that this manifest describes ({manifest.file})",
            "Take the manifest that was written beside the file.",
        )
    if hashed.digest == manifest.sha256 and opened == "wrong-key":
        raise _refused(
            file, "is whole, but this identity does not open it", f"It was encrypted to {manifest.recipient}."
        )
    if hashed.bytes < manifest.bytes:
        cut = f"is cut off: {hashed.bytes:,} of {manifest.bytes:,} bytes are there"
        raise _refused(file, cut, "Take another copy of it, or another backup.")
    if opened == "damaged":
        raise _refused(file, "is damaged: its bytes are not those that were written", "Take another copy of it.")
    raise _refused(
        file,
        "is not the file that this manifest describes, and this identity does not open it",
        "It is damaged, or file and manifest belong to different backups.",
    )


def _refused(file: Path, what: str, do: str) -> Refused:
    return Refused(f"{file.name} {what}.", "Nothing was restored from it.", do, place=str(file))


def prove_backup(
    file: Path,
    *,
    manifest: Manifest,
    identities: Identities,
    clock: Clock,
    catalog: Fingerprint | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Proof:
    """Restore the file on a scratch server and compare every table with the manifest.

    catalog: the comparable facts of the database it was taken of, where they are still at hand
    Raises Refused where the file itself is not good (see `examine`), Stopped when cancelled.
    """
    began = time.monotonic()
    emit("phase", {"name": "examine"})
    examine(file, manifest, identities)
    tools = tools_for(max(manifest.major, manifest.tool))
    emit("phase", {"name": "restore"})
    try:
        with scratch_server(binaries=tools.binaries, options=_SCRATCH) as server:
            url, missing = _prepare(server, manifest)
            try:
                _restore(url, file, manifest, identities, tools, missing, emit, cancelled)
            except OpsError as error:
                return _not_restored(error, manifest, missing, clock(), time.monotonic() - began, tools.version)
            emit("phase", {"name": "compare"})
            with connect(url, read_only=True) as conn:
                found = compare(conn, manifest, emit, cancelled)
                compare_catalog(conn, found, catalog, server.binaries.version)
    except psycopg.Error as error:
        said = f"The scratch server did not go on ({error.sqlstate or 'connection lost'}): the backup is not proved."
        return Proof(Verdict.UNKNOWN, clock(), said, 0, time.monotonic() - began, tools.version)
    seconds = time.monotonic() - began
    left_out = [f"extension {name}: the scratch server does not have it" for name in missing]
    return found.proof(clock(), seconds, tools.version, left_out)


def _prepare(server: Server, manifest: Manifest) -> tuple[str, list[str]]:
    """An empty database with the roles that the backup names; returns its URL and the extensions not to be had."""
    with connect(patient(server.dsn())) as admin:
        known = {row[0] for row in admin.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()}
        for role in manifest.roles:
            if role not in known:
                admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        have = {row[0] for row in admin.execute("SELECT name FROM pg_catalog.pg_available_extensions").fetchall()}
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(_DATABASE)))
    return patient(server.dsn(_DATABASE)), [name for name in manifest.extensions if name not in have]


def _restore(
    url: str,
    file: Path,
    manifest: Manifest,
    identities: Identities,
    tools: Tools,
    missing: Sequence[str],
    emit: Emit,
    cancelled: Cancelled,
) -> None:
    entries = [
        entry
        for entry in table_of_contents(file, identities, tools, cancelled)
        if not entry.is_of(*_NOT_RESTORED)
        and (entry.extension is None or (entry.extension in manifest.extensions and entry.extension not in missing))
    ]
    restore_entries(
        url,
        file,
        identities,
        tools,
        entries=entries,
        options=("--no-tablespaces", "--no-security-labels"),
        tables=len(manifest.tables),
        emit=emit,
        cancelled=cancelled,
    )


def _not_restored(
    error: OpsError, manifest: Manifest, missing: Sequence[str], at: datetime, seconds: float, server: int
) -> Proof:
    """A restore that did not come about: what the backup itself is to blame for is a fail, all else is unknown."""
    said = error.what
    if missing:
        said += f" The scratch server lacks the extension {', '.join(missing)}, which the database has."
    verdict = Verdict.FAIL if error.reason == "said" and not missing else Verdict.UNKNOWN
    return Proof(verdict, at, said, 0, seconds, server)


class Comparison:
    """What a restored database has of a backup's rows and catalog. problems: sentences; rows: counted there."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.problems: list[str] = []
        self.not_compared: list[str] = []
        self.rows = 0
        self.agreed = 0

    def proof(self, at: datetime, seconds: float, server: int, left_out: Iterable[str] = ()) -> Proof:
        told = (*self.not_compared, *left_out)
        if self.problems:
            more = f" (and {len(self.problems) - 3} more)" if len(self.problems) > 3 else ""
            said = f"Restored, and not the same: {'; '.join(self.problems[:3])}{more}."
            return Proof(Verdict.FAIL, at, said, self.rows, seconds, server, told)
        catalog = f", and {self.agreed} facts of the catalog agree" if self.agreed else ""
        said = (
            f"Restored on Postgres {server} in {seconds:.1f} s: all {self.rows:,} rows of"
            f" {len(self.manifest.tables)} tables are back, every table with the same hash{catalog}."
        )
        return Proof(Verdict.PASS, at, said, self.rows, seconds, server, told)


def compare(
    conn: psycopg.Connection[Any],
    manifest: Manifest,
    emit: Emit,
    cancelled: Cancelled,
) -> Comparison:
    """Count and hash every table of the manifest in the database behind `conn`; see where its sequences stand."""
    found = Comparison(manifest)
    with conn.transaction():
        write_values_alike(conn)
        there = [table for table in manifest.tables if _is_there(conn, table.schema, table.name)]
        wanted = ((table.schema, table.name, table.columns) for table in there)
        hashes = hash_rows(conn, wanted, doing="compare", emit=emit, cancelled=cancelled)
        for table in manifest.tables:
            now = hashes.get(table.place)
            if now is None:
                found.problems.append(f"{table.place} is not there")
            elif now.count != table.rows:
                found.problems.append(f"{table.place} has {now.count:,} rows instead of {table.rows:,}")
            elif now.digest != table.digest:
                found.problems.append(f"{table.place} has as many rows, and not the same ones")
            found.rows += now.count if now else 0
        if hashes.get(LARGE_OBJECTS) != manifest.large_objects:
            found.problems.append("the large objects are not the same")
        positions = sequence_positions(conn, manifest.schemas)
        # A sequence is no part of a snapshot: it may have gone on between our look and the dump's, never back.
        for name, value in manifest.sequences.items():
            if positions.get(name, value - 1) < value:
                found.problems.append(f"the sequence {name} is behind")
    return found


def _is_there(conn: psycopg.Connection[Any], schema: str, name: str) -> bool:
    place = sql.Identifier(schema, name).as_string(conn)
    return bool(conn.execute("SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (place,)).fetchall()[0][0])


def compare_catalog(conn: psycopg.Connection[Any], found: Comparison, catalog: Fingerprint | None, major: int) -> None:
    """Compare what is comparable of the catalog. catalog: the facts themselves, where they are still at hand."""
    manifest = found.manifest
    found.not_compared.append(
        "the order of columns; extensions, event triggers, publications and default rights, which a platform sets"
    )
    restored = comparable(catalog_fingerprint(conn), manifest.schemas)
    if restored.digest == manifest.catalog[0]:
        found.agreed = manifest.catalog[1]
    elif major != manifest.major:
        found.not_compared.append(
            f"the wording of the catalog: Postgres {major} words definitions unlike {manifest.major}"
        )
        if catalog is not None:
            apart = difference(catalog, restored)
            found.problems.extend(f"{name} is not back" for name in apart.removed)
    elif catalog is None:
        found.problems.append("the catalog is not the one that was backed up")
    else:
        found.problems.append(f"the catalog differs ({difference(catalog, restored).sentence(3)})")

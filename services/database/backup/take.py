"""Knows how to take a backup: one snapshot, dumped, encrypted, written away, and at once restored and compared."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import psycopg

from services.database.backup.contents import (
    LARGE_OBJECTS,
    Contents,
    comparable,
    hash_rows,
    read_contents,
    sequence_positions,
    write_values_alike,
)
from services.database.backup.encryption import Identity, Recipient, encrypt, ephemeral_identity, recipient_of
from services.database.backup.folder import NewFile, megabytes, new_file, private_folder, require_room, same_disk
from services.database.backup.manifest import Manifest, Proof, TableEntry, manifest_path, write_manifest
from services.database.backup.programs import APPLICATION_NAME, Program, Tools, tools_for
from services.database.backup.proving import Clock, prove_backup
from services.database.backup.streams import FromProgram, Hashed
from services.database.connect import ConnectionFacts, connect, inspect_connection, refuse_transaction_pooler
from services.database.execution import Cancelled, Emit, never, silent
from services.database.fingerprint import Fingerprint, RowHash, catalog_fingerprint
from services.errors import OpsError, Refused, Unavailable
from services.verdict import Verdict

_DUMP_S = 4 * 3600.0
_TELL_EVERY_S = 0.5
_PACKED = 0.6
"""How large an encrypted dump is at most beside the tables it holds, for judging room beforehand."""
_CLUSTER_BYTES = 120_000_000
_DUMPING = re.compile(r'dumping contents of table "(.+)"')


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was written. verdict: what its restore showed; took_s: dump and proof, in seconds."""

    verdict: Verdict
    summary: str
    file: Path
    manifest: Manifest
    took_s: float

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "summary": self.summary,
            "file": str(self.file),
            "manifest": str(manifest_path(self.file)),
            "took_s": round(self.took_s, 2),
            **{
                key: value
                for key, value in self.manifest.to_json().items()
                if key in ("id", "bytes", "sha256", "snapshot_at", "keep_until", "contains", "not_contained", "proof")
            },
            "rows": self.manifest.rows,
            "tables": len(self.manifest.tables),
        }


def take_backup(
    url: str,
    *,
    target: str,
    recipient: str,
    folder: Path,
    keep_days: int,
    clock: Clock,
    home: Path | None = None,
    private: Mapping[str, Sequence[str]] | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Backup:
    """Back up what belongs to the connecting role, and prove the file by restoring it.

    target:    the name it is filed under; recipient: the public key it is encrypted to, besides one that is forgotten
               when the proof has ended; folder: where it goes, see `private_folder`; keep_days: how long it is kept
    private:   columns of free text by table ("journal_entries": ["content"]), for telling what the file contains
    Raises Refused or Unavailable where no backup came about (nothing is left then), Stopped when cancelled.
    """
    began = time.monotonic()
    keep = recipient_of(recipient)
    place = private_folder(folder, home=home)
    ephemeral = ephemeral_identity()
    asked = _Asked(target, recipient.strip(), keep_days, clock, private or {}, emit, cancelled)
    with new_file(place, target, clock()) as file:
        try:
            with connect(url, read_only=True, application_name=APPLICATION_NAME) as conn:
                facts = inspect_connection(conn, url)
                refuse_transaction_pooler(facts)
                taking = _Taking(asked, conn, url, facts, tools_for(facts.major))
                manifest, catalog = taking.write(file, [keep, ephemeral.to_public()])
        except psycopg.Error as error:
            raise _lost(error) from None
        proof = _proof(file.so_far, manifest, catalog, [ephemeral], asked)
        # The manifest comes first: a file under its own name always has one.
        write_manifest(file.place, manifest := manifest.proved(proof))
    return Backup(proof.verdict, proof.summary, file.place, manifest, time.monotonic() - began)


def _lost(error: psycopg.Error) -> OpsError:
    if error.sqlstate == "42501":
        return Refused(
            "This role may not read all that belongs into a backup, or row-level security hides rows from it.",
            "Nothing was written: a backup that lacks rows is none.",
            "Connect as the owner of the tables.",
            place="database URL",
        )
    if error.sqlstate == "55P03":
        return Unavailable(
            "A table is locked by somebody who changes it.", "There is no new backup.", "Try again when they are done."
        )
    return Unavailable(
        f"The database did not go on answering ({error.sqlstate or 'connection lost'}).",
        "There is no new backup; what had been written was removed.",
        "See whether the server is running, then try again.",
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `take_backup` was asked for."""

    target: str
    recipient: str
    keep_days: int
    clock: Clock
    private: Mapping[str, Sequence[str]]
    emit: Emit
    cancelled: Cancelled


def _proof(
    file: Path, manifest: Manifest, catalog: Fingerprint, identities: Sequence[Identity], asked: _Asked
) -> Proof:
    """The proof of a file that has just been written; what it shows of the file is its verdict, not an error."""
    began = time.monotonic()
    try:
        return prove_backup(
            file,
            manifest=manifest,
            identities=identities,
            clock=asked.clock,
            catalog=catalog,
            emit=asked.emit,
            cancelled=asked.cancelled,
        )
    except (OpsError, OSError) as error:
        verdict = Verdict.FAIL if isinstance(error, Refused) else Verdict.UNKNOWN
        said = error.what if isinstance(error, OpsError) else f"It could not be restored here ({error.strerror})."
        return Proof(verdict, asked.clock(), said, 0, time.monotonic() - began, manifest.tool)


@dataclass(frozen=True, slots=True)
class _Taking:
    """One snapshot of a database on its way into a file."""

    asked: _Asked
    conn: psycopg.Connection[Any]
    url: str
    facts: ConnectionFacts
    tools: Tools

    def write(self, file: NewFile, recipients: Sequence[Recipient]) -> tuple[Manifest, Fingerprint]:
        """Write all of it to disk; returns the manifest without a proof, and the catalog as it was."""
        asked = self.asked
        self.conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        write_values_alike(self.conn)
        now = asked.clock()
        contents = read_contents(self.conn)
        _require_room(file.place.parent, contents)
        asked.emit("phase", {"name": "count"})
        wanted = ((table.schema, table.name, table.columns) for table in contents.tables)
        hashes = hash_rows(self.conn, wanted, doing="count", emit=asked.emit, cancelled=asked.cancelled)
        sequences = sequence_positions(self.conn, contents.schemas)
        catalog = comparable(catalog_fingerprint(self.conn), contents.schemas)
        snapshot = str(self.conn.execute("SELECT pg_catalog.pg_export_snapshot()").fetchall()[0][0])
        asked.emit("phase", {"name": "dump"})
        self._dump(snapshot, contents, file.sink, recipients)
        file.to_disk()
        self.conn.execute("COMMIT")
        return self._manifest(file, now, contents, hashes, sequences, catalog), catalog

    def _dump(self, snapshot: str, contents: Contents, sink: Hashed, recipients: Sequence[Recipient]) -> None:
        told = _Told(self.asked.emit, len(contents.tables), contents.bytes)
        given, give = os.pipe()
        reading = FromProgram(given, self.asked.cancelled, told.moved)
        try:
            with Program(
                _dump_command(self.tools, snapshot, contents), url=self.url, stdout=give, told=told.line
            ) as dump:
                encrypt(reading, sink, recipients)
                # A program that was killed closes its output as one does that is done; only its end tells them apart.
                if dump.wait(self.asked.cancelled, patience_s=_DUMP_S):
                    raise dump.complaint("The dump broke off")
        finally:
            reading.close()

    def _manifest(
        self,
        file: NewFile,
        now: datetime,
        contents: Contents,
        hashes: Mapping[str, RowHash],
        sequences: Mapping[str, int],
        catalog: Fingerprint,
    ) -> Manifest:
        return Manifest(
            id=f"backup-{secrets.token_hex(6)}",
            target=self.asked.target,
            file=file.place.name,
            bytes=file.sink.bytes,
            sha256=file.sink.digest,
            snapshot_at=now,
            keep_until=now + timedelta(days=self.asked.keep_days),
            server_version=contents.server_version,
            major=self.facts.major,
            tool=self.tools.version,
            recipient=self.asked.recipient,
            schemas=contents.schemas,
            needed=contents.needed,
            tables=tuple(
                TableEntry(one.schema, one.name, one.columns, hashes[one.place].count, hashes[one.place].digest)
                for one in contents.tables
            ),
            sequences=sequences,
            large_objects=hashes.get(LARGE_OBJECTS),
            roles=contents.roles,
            extensions=contents.extensions,
            catalog=(catalog.digest, len(catalog.facts)),
            contains=contained(contents, hashes, self.asked.private),
            not_contained=not_contained(contents),
        )


class _Told:
    """Progress of a dump: each table as it begins, and the bytes that have come twice a second."""

    def __init__(self, emit: Emit, tables: int, estimate: int) -> None:
        self._emit, self._of, self._estimate = emit, tables, estimate
        self._seen = 0
        self._next = time.monotonic() + _TELL_EVERY_S

    def line(self, line: str) -> None:
        if found := _DUMPING.search(line):
            self._seen += 1
            payload = {"doing": "dump", "name": found[1], "index": min(self._seen, self._of), "of": self._of}
            self._emit("table", payload)

    def moved(self, size: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_EVERY_S
            told = f"{megabytes(size)} dumped, of tables of {megabytes(self._estimate)}"
            self._emit("bytes", {"bytes": size, "message": told})


def _dump_command(tools: Tools, snapshot: str, contents: Contents) -> list[str]:
    command = [str(tools.pg_dump), "--format=custom", "--compress=3", "--verbose", "--no-sync", "--no-password"]
    command += ["--no-tablespaces", "--no-subscriptions", "--no-security-labels", "--lock-wait-timeout=5s"]
    command += [f"--snapshot={snapshot}"]
    command += [f"--exclude-schema={_pattern(schema)}" for schema, _ in contents.left_out]
    command += [f"--exclude-table-data={_pattern(schema)}.{_pattern(name)}" for schema, name in contents.without_rows]
    return command


def _pattern(name: str) -> str:
    """A name as pg_dump's patterns take it literally."""
    return '"' + name.replace('"', '""') + '"'


def _require_room(folder: Path, contents: Contents) -> None:
    file, scratch = round(contents.bytes * _PACKED), contents.bytes_with_indexes + _CLUSTER_BYTES
    temporary = Path(gettempdir())
    if same_disk(folder, temporary):
        require_room(folder, file + scratch, "A backup with its proof")
        return
    require_room(folder, file, "A backup")
    require_room(temporary, scratch, "The proof of a backup")


def contained(contents: Contents, hashes: Mapping[str, RowHash], private: Mapping[str, Sequence[str]]) -> str:
    """One sentence on what the file holds, so that whoever keeps it knows what it would mean to lose it."""
    rows = sum(hashes[table.place].count for table in contents.tables)
    referred = [table.place for table in contents.tables if table.schema not in contents.schemas]
    places = ", ".join(sorted({table.schema for table in contents.tables} & {*contents.schemas}))
    if referred:
        places += f"; and whole, because they refer to it: {', '.join(referred)}"
    people = max((hashes[table.place].count for table in contents.tables if table.has_addresses), default=0)
    told = []
    texts = [table.name for table in contents.tables if table.name in private]
    if texts:
        told.append(f"what people wrote ({', '.join(texts)})")
    if people:
        told.append(f"e-mail addresses of {people:,} people")
    among = f" Among them {' and '.join(told)}." if told else ""
    return f"{rows:,} rows of {len(contents.tables)} tables in {places}.{among}"


def not_contained(contents: Contents) -> tuple[str, ...]:
    """What the file does not hold, as sentences."""
    told = ["Roles and their passwords, and the settings of the server, are not contained."]
    if contents.without_rows:
        places = ", ".join(sorted({schema for schema, _ in contents.without_rows}))
        told.append(
            f"Of {len(contents.without_rows)} tables that belong to others ({places}) only the definition is contained."
        )
    if any(name == "auth" for name, _ in contents.left_out):
        told.append("The accounts with which people sign in (auth) are not contained: no row here refers to them.")
    if contents.left_out:
        told.append("Not contained: " + ", ".join(f"{name} (of {owner})" for name, owner in contents.left_out) + ".")
    if any(name == "storage" for name, _ in contents.left_out) or "storage" in contents.needed:
        told.append("Files in Supabase Storage are not in the database at all.")
    return tuple(told)

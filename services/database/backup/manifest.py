"""Knows what is written beside a backup, so that it can be judged and restored years later. No personal data."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from services.database.fingerprint import RowHash
from services.errors import NotUnderstood
from services.verdict import Verdict

FORMAT = 1
SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table's columns in name order, and its rows as they were at the snapshot."""

    schema: str
    name: str
    columns: tuple[str, ...]
    rows: int
    digest: str

    @property
    def place(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def hash(self) -> RowHash:
        return RowHash(self.rows, self.digest)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a restore of the file showed. rows: found again; seconds: how long it took; server: its major version."""

    verdict: Verdict
    at: datetime
    summary: str
    rows: int
    seconds: float
    server: int
    not_compared: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict.value, "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Proof:
        return cls(
            verdict=Verdict(data["verdict"]),
            at=datetime.fromisoformat(data["at"]),
            summary=str(data["summary"]),
            rows=int(data["rows"]),
            seconds=float(data["seconds"]),
            server=int(data["server"]),
            not_compared=tuple(data["not_compared"]),
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup in facts.

    file, bytes, sha256: of the encrypted file; snapshot_at: the moment that it shows; tool: the major of pg_dump
    schemas: whole; needed: those of others that they need, definitions only but for tables that are referred to
    large_objects: None where there were none; catalog: digest and number of the comparable catalog facts
    contains, not_contained: sentences for people
    """

    id: str
    target: str
    file: str
    bytes: int
    sha256: str
    snapshot_at: datetime
    keep_until: datetime
    server_version: str
    major: int
    tool: int
    recipient: str
    schemas: tuple[str, ...]
    needed: tuple[str, ...]
    tables: tuple[TableEntry, ...]
    sequences: Mapping[str, int]
    large_objects: RowHash | None
    roles: tuple[str, ...]
    extensions: tuple[str, ...]
    catalog: tuple[str, int]
    contains: str
    not_contained: tuple[str, ...]
    proof: Proof | None = None

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    def proved(self, proof: Proof) -> Manifest:
        return replace(self, proof=proof)

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        return {
            "format": FORMAT,
            **plain,
            "snapshot_at": self.snapshot_at.isoformat(),
            "keep_until": self.keep_until.isoformat(),
            "proof": self.proof.to_json() if self.proof else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Manifest:
        """Raises KeyError, TypeError or ValueError where it is none of ours."""
        if data["format"] != FORMAT:
            raise ValueError("another format")
        names = cls.__slots__
        values = {name: data[name] for name in names}
        large, proof = values["large_objects"], values["proof"]
        values |= {
            "snapshot_at": datetime.fromisoformat(values["snapshot_at"]),
            "keep_until": datetime.fromisoformat(values["keep_until"]),
            "tables": tuple(
                TableEntry(one["schema"], one["name"], tuple(one["columns"]), int(one["rows"]), one["digest"])
                for one in values["tables"]
            ),
            "large_objects": RowHash(int(large["count"]), large["digest"]) if large else None,
            "catalog": (str(values["catalog"][0]), int(values["catalog"][1])),
            "proof": Proof.from_json(proof) if proof else None,
        }
        for name in ("schemas", "needed", "roles", "extensions", "not_contained"):
            values[name] = tuple(str(one) for one in values[name])
        return cls(**values)


def manifest_path(file: Path) -> Path:
    """Where the manifest of a backup lies: beside it."""
    return file.with_name(file.name + SUFFIX)


def write_manifest(file: Path, manifest: Manifest) -> None:
    """Write it beside the backup in one step, readable for us alone."""
    place = manifest_path(file)
    fresh = place.with_name(place.name + ".partial")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as sink:
        json.dump(manifest.to_json(), sink, indent=1)
        sink.write("\n")
        sink.flush()
        os.fsync(sink.fileno())
    fresh.rename(place)


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file. Raises NotUnderstood where there is none that we can read."""
    try:
        with path.open(encoding="utf-8") as source:
            return Manifest.from_json(json.load(source))
    except OSError as error:
        raise NotUnderstood(
            f"The manifest {path.name} cannot be read ({os.strerror(error.errno or 0)}).",
            "Without it there is nothing to compare a restore with.",
            "It lies beside the backup; `--manifest` names another place.",
            place=str(path),
        ) from None
    except (KeyError, TypeError, ValueError):
        raise NotUnderstood(
            f"{path.name} is no manifest of a backup that we understand.",
            "Nothing was restored.",
            "Take the one that was written beside the backup.",
            place=str(path),
        ) from None

"""Knows how to bring back what a snapshot keeps, rows and objects, choosing nothing silently."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.database.execution import Emit, silent
from services.database.inverse.derive import only_order
from services.database.snapshots.merge import Conflict, Merge
from services.database.snapshots.park import oid_of
from services.database.snapshots.snapshot import Part, parts_of, purged_at, text_hash
from services.database.snapshots.storage import make_tables, steady_texts
from services.database.snapshots.taking_back import Go, Run, TakenBack, take_back_inside
from services.errors import NotUnderstood, Refused
from services.verdict import Verdict

__all__ = ["Conflict", "NotAsKept", "Restoration", "known_parts", "merge_rows", "note_restored", "take_back"]


class NotAsKept(Refused):
    """What a snapshot kept is not there any more, or not as it was kept: told before anything is changed."""


@dataclass(slots=True)
class Restoration:
    """What came of a restore, in rows. rows_in_place: were there already, just as kept; rows_merged: got values of
    before; rows_kept: written since and left so; rows_taken_out: added by the change, gone again.

    recreated: tables and columns that stand again; not_restored: what of the catalog differs still, in words; undo:
    whether it was to be all as before. kept_snapshot_id: where rows of tables and columns that went are kept, if any
    did; parked: those of the tables that were moved aside.
    """

    snapshot_id: str
    rows_restored: int = 0
    rows_in_place: int = 0
    rows_merged: int = 0
    rows_kept: int = 0
    rows_taken_out: int = 0
    recreated: list[str] = field(default_factory=list)
    not_restored: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    undo: bool = False
    kept_snapshot_id: str | None = None
    parked: tuple[str, ...] = ()

    @classmethod
    def of(cls, snapshot_id: str, done: TakenBack, *, undo: bool) -> Restoration:
        rows = done.merge
        return cls(
            snapshot_id,
            rows.put_back + rows.merged,
            rows.in_place,
            rows.merged,
            rows.kept,
            rows.taken_out,
            done.recreated,
            done.not_restored,
            rows.conflicts,
            undo,
        )

    @property
    def verdict(self) -> Verdict:
        # Beside a column that the change had added and that stays, one that comes back can only stand last.
        missing = [words for words in self.not_restored if self.undo or not only_order(words)]
        return Verdict.FAIL if self.conflicts or missing else Verdict.PASS

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "snapshot_id": self.snapshot_id,
            "rows_restored": self.rows_restored,
            "rows_in_place": self.rows_in_place,
            "rows_merged": self.rows_merged,
            "rows_kept": self.rows_kept,
            "rows_taken_out": self.rows_taken_out,
            "recreated": list(self.recreated),
            "not_restored": list(self.not_restored),
            "conflicts": [conflict.to_json() for conflict in self.conflicts],
            "kept_snapshot_id": self.kept_snapshot_id,
            "parked": list(self.parked),
        }


def take_back(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    *,
    emit: Emit = silent,
    go_on: Go = lambda: None,
    run: Run | None = None,
) -> Restoration:
    """Take the change of a snapshot back in the open transaction: catalog and rows as before it, later writes kept.

    go_on, run: as of `take_back_inside`. Raises NotUnderstood and NotAsKept before anything is changed, psycopg.Error
    where the server refuses.
    """
    parts = known_parts(conn, snapshot_id)
    done = take_back_inside(conn, snapshot_id, parts, added_goes=True, emit=emit, go_on=go_on, run=run)
    note_restored(conn, snapshot_id)
    return Restoration.of(snapshot_id, done, undo=True)


def merge_rows(
    conn: psycopg.Connection[Any], snapshot_id: str, *, emit: Emit = silent, go_on: Go = lambda: None
) -> Merge:
    """Take back what the change did to rows, in the open transaction, in the tables that stand; the catalog stays.

    Raises as `take_back`.
    """
    parts = known_parts(conn, snapshot_id)
    done = take_back_inside(conn, snapshot_id, parts, added_goes=True, with_catalog=False, emit=emit, go_on=go_on)
    note_restored(conn, snapshot_id)
    return done.merge


def note_restored(conn: psycopg.Connection[Any], snapshot_id: str) -> None:
    """Write down, inside the transaction, that the snapshot has been brought back."""
    conn.execute("UPDATE ops.snapshots SET restored_at = pg_catalog.clock_timestamp() WHERE id = %s", (snapshot_id,))


def known_parts(conn: psycopg.Connection[Any], snapshot_id: str) -> list[Part]:
    """What the snapshot keeps, found to be as it was kept. Raises NotUnderstood (no such snapshot), NotAsKept."""
    try:
        uuid.UUID(snapshot_id)
    except ValueError as error:
        raise NotUnderstood(
            "A snapshot's id is a UUID.", "Nothing was changed.", "Copy it from the rollback."
        ) from error
    there = bool(oid_of(conn, ("ops", "deploy_receipts")))
    if there:
        make_tables(conn)
        there = conn.execute("SELECT FROM ops.snapshots WHERE id = %s", (snapshot_id,)).fetchone() is not None
    if not there:
        raise NotUnderstood(f"There is no snapshot {snapshot_id} here.", "Nothing was changed.", "Check id and target.")
    if (purged := purged_at(conn, snapshot_id)) is not None:
        raise NotAsKept(
            f"What snapshot {snapshot_id} kept was purged on {purged:%Y-%m-%d}.",
            "Nothing was changed.",
            "Restore from a backup.",
        )
    parts = parts_of(conn, snapshot_id)
    with steady_texts(conn):
        for part in parts:
            _require_as_kept(conn, part)
    return parts


def _require_as_kept(conn: psycopg.Connection[Any], part: Part) -> None:
    if part.kind == "inserted" or (part.kind == "parked" and not oid_of(conn, ("ops", part.copy_name))):
        return
    found = text_hash(conn, part.copy, part.columns, like=part.rows.digest)
    same = found == part.rows if part.rows.digest else found.count == part.rows.count
    if not same:
        raise NotAsKept(
            f"The kept copy of {part.name} is not what was kept: somebody changed it.",
            "Nothing was changed.",
            f"Compare ops.{part.copy_name} with a backup.",
        )

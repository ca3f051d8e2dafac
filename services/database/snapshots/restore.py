"""Knows how to bring back what a snapshot keeps, rows and objects, choosing nothing silently."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.database.connect import connect, inspect_connection, refuse_transaction_pooler
from services.database.deployment.guarded import ConnectionLost, Limits, StatementFailed, Watch, begin, with_retries
from services.database.deployment.receipts import application_name, receipts_exist
from services.database.deployment.sessions import end_lost, loss_in_words, take_the_lock
from services.database.execution import Cancelled, Emit, never, silent
from services.database.inverse.derive import only_order
from services.database.snapshots.merge import Conflict, Merge
from services.database.snapshots.park import oid_of
from services.database.snapshots.snapshot import Part, parts_of, purged_at, text_hash
from services.database.snapshots.storage import make_tables, steady_texts
from services.database.snapshots.taking_back import Go, Run, TakenBack, take_back_inside
from services.errors import NotUnderstood, OpsError, Refused, Unavailable
from services.verdict import Verdict

__all__ = ["Conflict", "NotAsKept", "Restoration", "merge_rows", "restore", "take_back"]


class NotAsKept(Refused):
    """What a snapshot kept is not there any more, or not as it was kept: told before anything is changed."""


@dataclass(slots=True)
class Restoration:
    """What came of a restore, in rows. rows_in_place: were there already, just as kept; rows_merged: got values of
    before; rows_kept: written since and left so; rows_taken_out: added by the change, gone again.

    recreated: tables and columns that stand again; not_restored: what of the catalog differs still, in words; undo:
    whether it was to be all as before.
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
        }


def restore(
    url: str,
    snapshot_id: str,
    *,
    undo: bool = False,
    emit: Emit = silent,
    cancelled: Cancelled = never,
    limits: Limits | None = None,
) -> Restoration:
    """Bring back, in one transaction, all that the snapshot keeps: tables, columns, what hung on them, every row.

    What was written since is kept: a column that only the change altered gets its value of before, one that only a
    later write altered keeps it, and where both did the row stays as it is and is listed.
    undo: also what the change had made goes again, objects and rows, where nobody wrote to them since.
    Restoring twice changes nothing the second time. Triggers of the tables do not fire.
    Raises NotUnderstood (no such snapshot), Refused (nothing was changed), Unavailable, Stopped.
    """
    watch = Watch(emit, cancelled, limits or Limits())
    job = f"restore {snapshot_id}"
    with connect(url, application_name=application_name(job)) as conn, loss_in_words(conn):
        refuse_transaction_pooler(inspect_connection(conn, url))
        process = take_the_lock(conn, job, watch)
        try:
            return with_retries(
                conn, watch, snapshot_id, lambda _retries: _transaction(conn, snapshot_id, watch, undo=undo)
            )
        except StatementFailed as failed:
            message = failed.error.diag.message_primary
            way = "Mend that first." if undo else "Mend that first, or use --undo: what the change had made goes first."
            raise Refused(f"The restore failed: {message}.", "Nothing was changed.", way) from failed
        except ConnectionLost as error:
            with suppress(OpsError, psycopg.Error):
                end_lost(url, job, process)
            raise Unavailable(
                "The connection was lost during the restore.",
                "It is done wholly or not at all, and doing it again does no harm.",
                "Start it again.",
            ) from error


def _transaction(conn: psycopg.Connection[Any], snapshot_id: str, watch: Watch, *, undo: bool) -> Restoration:
    begin(conn, watch.limits)
    parts = _known_parts(conn, snapshot_id)
    done = take_back_inside(conn, snapshot_id, parts, added_goes=undo, emit=watch.emit, go_on=watch.stop_if_cancelled)
    _note(conn, snapshot_id)
    watch.stop_if_cancelled()
    conn.execute("COMMIT")
    return Restoration.of(snapshot_id, done, undo=undo)


def take_back(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    *,
    emit: Emit = silent,
    go_on: Go = lambda: None,
    run: Run | None = None,
) -> Restoration:
    """Take the change of a snapshot back in the open transaction: catalog and rows as before it, later writes kept.

    go_on, run: as of `take_back_inside`. Raises as `restore`, NotAsKept before anything is changed, and psycopg.Error
    where the server refuses.
    """
    parts = _known_parts(conn, snapshot_id)
    done = take_back_inside(conn, snapshot_id, parts, added_goes=True, emit=emit, go_on=go_on, run=run)
    _note(conn, snapshot_id)
    return Restoration.of(snapshot_id, done, undo=True)


def merge_rows(
    conn: psycopg.Connection[Any], snapshot_id: str, *, emit: Emit = silent, go_on: Go = lambda: None
) -> Merge:
    """Take back what the change did to rows, in the open transaction, in the tables that stand; the catalog stays.

    Raises as `take_back`.
    """
    parts = _known_parts(conn, snapshot_id)
    done = take_back_inside(conn, snapshot_id, parts, added_goes=True, with_catalog=False, emit=emit, go_on=go_on)
    _note(conn, snapshot_id)
    return done.merge


def _note(conn: psycopg.Connection[Any], snapshot_id: str) -> None:
    conn.execute("UPDATE ops.snapshots SET restored_at = pg_catalog.clock_timestamp() WHERE id = %s", (snapshot_id,))


def _known_parts(conn: psycopg.Connection[Any], snapshot_id: str) -> list[Part]:
    try:
        uuid.UUID(snapshot_id)
    except ValueError as error:
        raise NotUnderstood(
            "A snapshot's id is a UUID.", "Nothing was changed.", "Copy it from the rollback."
        ) from error
    there = receipts_exist(conn)
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
    found = text_hash(conn, part.copy, part.columns)
    same = found == part.rows if part.rows.digest else found.count == part.rows.count
    if not same:
        raise NotAsKept(
            f"The kept copy of {part.name} is not what was kept: somebody changed it.",
            "Nothing was changed.",
            f"Compare ops.{part.copy_name} with a backup.",
        )

"""Knows how what a change did to definitions is worked out after its COMMIT, so that no writer waits for it.

Before the first lock all definitions are read and laid down beside the change; with its COMMIT comes the digest of the
catalog that it made. What differs, and the way back, follow from these two at any time, as long as nobody else has
changed the catalog: right after COMMIT, and where that was cut short, with the next look at it.
"""

from __future__ import annotations

import json
import uuid
import zlib
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.database.definitions.definition import Definition, Definitions
from services.database.definitions.read import read_definitions
from services.database.execution import Emit, silent
from services.database.fingerprint import catalog_fingerprint
from services.database.inverse.derive import derive_inverse
from services.database.snapshots.kept_definitions import changed_between, gone_between, keep_definitions
from services.database.snapshots.storage import make_tables

_LIMITS = "SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '2s'"

_UNSETTLED = """
SELECT u.id::text AS id, u.before, u.snapshot_id::text AS snapshot_id, u.snapshot_after,
       u.receipt_id::text AS receipt_id, r.state AS receipt_state, r.fingerprint_after AS receipt_after
FROM ops.unsettled u LEFT JOIN ops.deploy_receipts r ON r.id = u.receipt_id
"""

_NO_SNAPSHOT = """
UPDATE ops.deploy_receipts SET
  kept_snapshot_id = NULLIF(kept_snapshot_id, %(id)s), snapshot_id = NULLIF(snapshot_id, %(id)s),
  rollback_result = CASE WHEN rollback_result ->> 'snapshot_id' = %(id)s::text
                         THEN rollback_result || '{"snapshot_id": null}' ELSE rollback_result END
WHERE kept_snapshot_id = %(id)s OR snapshot_id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class _Unsettled:
    """Definitions of before, packed, and what waits for them; receipt_state and receipt_after are the receipt's."""

    id: str
    before: bytes
    snapshot_id: str | None
    snapshot_after: str | None
    receipt_id: str | None
    receipt_state: str | None
    receipt_after: str | None


@dataclass(frozen=True, slots=True)
class _Look:
    """The definitions of now, and the digest of the catalog read after them: were it another before, it still were."""

    now: Definitions
    digest: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of settling. empty: snapshots that turned out to hold nothing, and are gone; inverses: receipts that
    have got a way back."""

    empty: frozenset[str] = frozenset()
    inverses: frozenset[str] = frozenset()


def lay_down(conn: psycopg.Connection[Any], emit: Emit = silent) -> str | None:
    """Read all definitions in the open transaction, before its statements, and lay them down; returns their id.

    None, and a notice, where the server refuses to tell them: then rows are kept, and no definition.
    """
    make_tables(conn)
    conn.execute("SAVEPOINT ops_definitions")
    try:
        before = read_definitions(conn)
    except psycopg.Error as error:
        if conn.closed:
            raise
        conn.execute("ROLLBACK TO SAVEPOINT ops_definitions; RELEASE SAVEPOINT ops_definitions")
        why = error.diag.message_primary or "the catalog could not be read"
        emit("notice", {"message": f"No definition is kept, and no way back derived: {why}", "severity": "WARNING"})
        return None
    conn.execute("RELEASE SAVEPOINT ops_definitions")
    laid = str(uuid.uuid4())
    conn.execute("INSERT INTO ops.unsettled (id, before) VALUES (%s, %s)", (laid, _packed(before)))
    return laid


def tie_to_snapshot(conn: psycopg.Connection[Any], laid: str, snapshot_id: str, after: str) -> None:
    """Say before COMMIT whose definitions these are. after: the digest of the catalog that the change has made."""
    conn.execute(
        "UPDATE ops.unsettled SET snapshot_id = %s, snapshot_after = %s WHERE id = %s", (snapshot_id, after, laid)
    )


def tie_to_receipt(conn: psycopg.Connection[Any], laid: str, receipt_id: str) -> None:
    """Say before COMMIT to which receipt the way back belongs that follows from these definitions."""
    conn.execute("UPDATE ops.unsettled SET receipt_id = %s WHERE id = %s", (receipt_id, laid))


def settle(conn: psycopg.Connection[Any], emit: Emit = silent) -> Settled:
    """Work out what is unsettled, and keep it: the definitions of snapshots, the way back of receipts.

    Takes no lock that anybody waits for. To be called outside a transaction, by whoever holds the lock for changing
    this database. Where others have changed the catalog since, only definitions that are gone are kept, and it is told.
    Raises psycopg.Error; then all stays as it was, to be settled later.
    """
    rows = _unsettled(conn)
    if not rows:
        return Settled()
    with conn.transaction():
        conn.execute(_LIMITS)
        look = _look(conn)
    empty, inverses = set(), set()
    with conn.transaction():
        conn.execute(_LIMITS)
        for row in rows:
            if row.snapshot_id is not None and not _settle_snapshot(conn, row, row.snapshot_id, look, emit):
                empty.add(row.snapshot_id)
            if row.receipt_id is not None and _settle_receipt(conn, row, row.receipt_id, look, emit):
                inverses.add(row.receipt_id)
            if row.receipt_state == "begun":
                conn.execute("UPDATE ops.unsettled SET snapshot_id = NULL WHERE id = %s", (row.id,))
            else:
                conn.execute("DELETE FROM ops.unsettled WHERE id = %s", (row.id,))
    return Settled(frozenset(empty), frozenset(inverses))


def settle_or_tell(conn: psycopg.Connection[Any], emit: Emit = silent) -> Settled:
    """The same where it must stop nothing: right after a COMMIT, which it cannot undo any more, and before the next
    change, which may be the rollback that everybody waits for. What goes wrong, be it a fault of ours, is told, and
    tried again by whoever next takes the lock for changing this database."""
    try:
        return settle(conn, emit)
    except Exception as error:
        why = error.diag.message_primary if isinstance(error, psycopg.Error) else f"{type(error).__name__}: {error}"
        message = f"What a change did to definitions is not worked out yet: {why or 'the connection was lost'}"
        emit("notice", {"message": message, "severity": "WARNING"})
        return Settled()


def unsettled_inverse(conn: psycopg.Connection[Any], receipt_id: str) -> dict[str, Any] | None:
    """The way back of a receipt whose deploy was cut short right after COMMIT, derived without writing anything.

    None where there is none to come, or others have changed the catalog since. Raises psycopg.Error.
    """
    row = next((row for row in _unsettled(conn) if row.receipt_id == receipt_id), None)
    if row is None or row.receipt_state != "done":
        return None
    return _inverse(row, _look(conn))


def _look(conn: psycopg.Connection[Any]) -> _Look:
    return _Look(read_definitions(conn), catalog_fingerprint(conn).digest)


def _unsettled(conn: psycopg.Connection[Any]) -> list[_Unsettled]:
    there = conn.execute(
        "SELECT pg_catalog.has_table_privilege(t.oid, 'SELECT') FROM pg_catalog.pg_class t"
        " WHERE t.oid = pg_catalog.to_regclass('ops.unsettled')"
    ).fetchone()
    if there is None or not there[0] or conn.execute("SELECT FROM ops.unsettled LIMIT 1").fetchone() is None:
        return []
    with conn.cursor(row_factory=class_row(_Unsettled)) as cursor:
        found = cursor.execute(_UNSETTLED).fetchall()
    # Definitions that only wait for the last part of a deploy are not due yet.
    return [row for row in found if row.snapshot_id is not None or row.receipt_state != "begun"]


def _settle_snapshot(conn: psycopg.Connection[Any], row: _Unsettled, snapshot_id: str, look: _Look, emit: Emit) -> bool:
    """Keep the definitions that the change took or altered; False where the snapshot holds nothing, and is gone."""
    if look.digest == row.snapshot_after:
        changed = changed_between(_unpacked(row.before), look.now)
    else:
        changed = gone_between(_unpacked(row.before), look.now)
        _tell_of_others(emit, "Of the definitions that the change altered, only those are kept that are gone")
    holds = conn.execute("SELECT FROM ops.snapshot_parts WHERE snapshot_id = %s LIMIT 1", (snapshot_id,)).fetchone()
    if changed and (changed.lost or holds is not None):
        keep_definitions(conn, snapshot_id, changed)
    elif holds is None:
        conn.execute(_NO_SNAPSHOT, {"id": snapshot_id})
        conn.execute("DELETE FROM ops.snapshots WHERE id = %s", (snapshot_id,))
        return False
    return True


def _settle_receipt(conn: psycopg.Connection[Any], row: _Unsettled, receipt_id: str, look: _Look, emit: Emit) -> bool:
    """Note the way back in the receipt, once all parts of its deploy are in; False where it has none."""
    if row.receipt_state != "done":
        return False
    inverse = _inverse(row, look)
    if inverse is None:
        _tell_of_others(emit, "No way back can be derived")
        return False
    conn.execute("UPDATE ops.deploy_receipts SET inverse = %s WHERE id = %s", (Jsonb(inverse), receipt_id))
    return True


def _inverse(row: _Unsettled, look: _Look) -> dict[str, Any] | None:
    """As the receipt keeps it: before_rows and after_rows are run before and after rows are put back; sql is both."""
    if look.digest != row.receipt_after:
        return None
    inverse = derive_inverse(_unpacked(row.before), look.now)
    return {
        "sql": inverse.sql,
        "before_rows": list(inverse.before_rows),
        "after_rows": list(inverse.after_rows),
        "not_restored": list(inverse.not_restored),
        "rows": list(inverse.rows),
    }


def _tell_of_others(emit: Emit, what: str) -> None:
    emit("notice", {"message": f"{what}: others have changed the catalog since", "severity": "WARNING"})


def _packed(definitions: Definitions) -> bytes:
    return zlib.compress(json.dumps([one.to_json() for one in definitions]).encode(), 1)


def _unpacked(data: bytes) -> Definitions:
    return Definitions.of(Definition.from_json(one) for one in json.loads(zlib.decompress(data)))

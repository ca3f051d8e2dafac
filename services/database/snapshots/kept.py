"""Knows what lies kept in a database of what changes took away: which snapshots, how many rows, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from services.database.change_lock import require_lock
from services.database.connect import connect, inspect_connection, refuse_transaction_pooler
from services.database.snapshots.park import parked, purge
from services.errors import Unavailable

_SNAPSHOTS = """
SELECT s.id::text, s.release_id, s.actor, s.taken_at, s.until, s.restored_at,
       COALESCE(pg_catalog.sum(p.row_count) FILTER (WHERE p.kind <> 'inserted'), 0)::bigint,
       COALESCE(pg_catalog.array_agg(DISTINCT p.schema_name || '.' || p.table_name)
                FILTER (WHERE p.kind <> 'inserted'), '{}')
FROM ops.snapshots s LEFT JOIN ops.snapshot_parts p ON p.snapshot_id = s.id
WHERE s.purged_at IS NULL GROUP BY s.id ORDER BY s.taken_at DESC
"""


@dataclass(frozen=True, slots=True)
class KeptSnapshot:
    """What one change took away. parked: those of the tables that were moved aside, not copied; until: may be purged.

    until None: taken by an older version, kept until all that is ours is removed.
    """

    id: str
    release_id: str
    actor: str
    taken_at: datetime
    until: datetime | None
    restored_at: datetime | None
    rows: int
    tables: tuple[str, ...]
    parked: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "release_id": self.release_id,
            "actor": self.actor,
            "taken_at": self.taken_at.isoformat(),
            "until": self.until.isoformat() if self.until else None,
            "restored_at": self.restored_at.isoformat() if self.restored_at else None,
            "rows": self.rows,
            "tables": list(self.tables),
            "parked": list(self.parked),
        }


def kept_in(url: str, *, deadline_s: float = 5) -> list[KeptSnapshot]:
    """Snapshots that are not purged, the newest first. Raises as `connect`; Unavailable where the role may not look."""
    with connect(url, deadline_s=deadline_s, read_only=True, statement_timeout_s=deadline_s) as conn:
        try:
            there = conn.execute(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute"
                " WHERE attrelid = pg_catalog.to_regclass('ops.snapshots') AND attname = 'purged_at')"
            ).fetchone()
            if there is None or not there[0]:
                return []
            aside: dict[str, list[str]] = {}
            for one in parked(conn):
                aside.setdefault(one.snapshot_id, []).append(one.object)
            rows = conn.execute(_SNAPSHOTS, binary=True).fetchall()
        except psycopg.errors.InsufficientPrivilege:
            raise Unavailable(
                f"The role {conn.info.user!r} may not look into schema ops, where it lies.",
                "What is kept is not known.",
                "Look as the owner of the database: `kept --database env:NAME`.",
            ) from None
    return [
        KeptSnapshot(one, release, actor, taken, until, restored, count, tuple(tables), tuple(aside.get(one, ())))
        for one, release, actor, taken, until, restored, count, tables in rows
    ]


def purge_kept(url: str, now: datetime) -> list[str]:
    """Drop for good what has been kept as long as it was to be; returns the names of the tables that it came from.

    Raises as `connect`, and Refused while a deploy or rollback is under way.
    """
    with connect(url, statement_timeout_s=60) as conn:
        refuse_transaction_pooler(inspect_connection(conn, url))
        require_lock(conn)
        row = conn.execute("SELECT pg_catalog.to_regclass('ops.snapshots') IS NOT NULL").fetchone()
        return purge(conn, now) if row is not None and row[0] else []

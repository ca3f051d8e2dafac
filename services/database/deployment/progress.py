"""Knows how far one statement of another session has come, where the server tells: index builds, COPY, VACUUM ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_RELATION = (
    "(SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p.relid)"
)

PROGRESS_SQL = f"""
SELECT command, phase, CASE WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END,
       CASE WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END, {_RELATION}
FROM pg_catalog.pg_stat_progress_create_index p WHERE pid = {{pid}}
UNION ALL
SELECT command, phase, heap_blks_scanned, heap_blks_total, {_RELATION}
FROM pg_catalog.pg_stat_progress_cluster p WHERE pid = {{pid}}
UNION ALL
SELECT command, type, CASE WHEN bytes_total > 0 THEN bytes_processed ELSE tuples_processed END, bytes_total, {_RELATION}
FROM pg_catalog.pg_stat_progress_copy p WHERE pid = {{pid}}
UNION ALL
SELECT 'ANALYZE', phase, sample_blks_scanned, sample_blks_total, {_RELATION}
FROM pg_catalog.pg_stat_progress_analyze p WHERE pid = {{pid}}
UNION ALL
SELECT 'VACUUM', phase, heap_blks_scanned, heap_blks_total, {_RELATION}
FROM pg_catalog.pg_stat_progress_vacuum p WHERE pid = {{pid}};
"""
"""The columns named here are there on Postgres 15 to 18. A rewrite by ALTER TABLE has no such view."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a command is: `done` of `total` in blocks, rows or bytes; total None where the server knows none."""

    command: str
    phase: str
    done: int
    total: int | None
    relation: str | None

    @classmethod
    def of(cls, row: Sequence[str | None]) -> Progress:
        """A row of PROGRESS_SQL, as the text that the server sends."""
        command, phase, done, total, relation = row
        return cls(command or "", phase or "", int(done or 0), int(total or 0) or None, relation)

    def to_json(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "phase": self.phase,
            "done": self.done,
            "total": self.total,
            "relation": self.relation,
        }

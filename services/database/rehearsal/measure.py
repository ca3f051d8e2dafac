"""Knows what one statement did inside its transaction: locks taken, rows scanned and written, tables rewritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg

_QUERY = """
SELECT c.oid::bigint, n.nspname || '.' || c.relname, c.relkind::text, c.relfilenode::bigint,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attisdropped),
       pg_catalog.pg_stat_get_xact_numscans(c.oid) + COALESCE((
         SELECT pg_catalog.sum(pg_catalog.pg_stat_get_xact_numscans(i.indexrelid))
         FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid), 0)::bigint,
       pg_catalog.pg_stat_get_xact_tuples_returned(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid),
       COALESCE((SELECT pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_returned(i.indexrelid))
         FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid), 0)::bigint,
       COALESCE(held.modes, '{}')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN (
  SELECT relation, pg_catalog.array_agg(mode) AS modes FROM pg_catalog.pg_locks
  WHERE locktype = 'relation' AND granted AND pid = pg_catalog.pg_backend_pid() GROUP BY relation
) held ON held.relation = c.oid
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""

LOCK_MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""Weakest first. From ShareLock on, writers wait."""


@dataclass(frozen=True, slots=True)
class RelationState:
    """One relation as the transaction sees it; counters run from the start of the transaction."""

    name: str
    kind: str
    file: int
    dropped_columns: int
    scans: int
    rows_scanned: int
    inserted: int
    updated: int
    deleted: int
    by_index: int
    locks: frozenset[str]


Measurement = Mapping[int, RelationState]
"""By the relation's oid."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one statement did to one relation that was there before the script.

    rows_scanned: read one after the other; by_index: entries read from its indexes.
    """

    relation: str
    kind: str
    lock: str | None
    held: str | None
    scans: int
    rows_scanned: int
    inserted: int
    updated: int
    deleted: int
    rewritten: bool
    dropped: bool
    dropped_columns: int
    by_index: int = 0
    oid: int = 0


@dataclass(frozen=True, slots=True)
class StatementEffects:
    """All effects of one statement, with its sums; new relations count in the sums only."""

    effects: tuple[Effect, ...]
    rows_scanned: int
    rows_written: int

    @property
    def lock(self) -> str | None:
        """The strongest lock the statement took on a relation that was there before."""
        return strongest(effect.lock for effect in self.effects)

    @property
    def locks(self) -> dict[str, str]:
        """The strongest lock the statement took, by relation that was there before."""
        return {effect.relation: effect.lock for effect in self.effects if effect.lock}

    @property
    def rewrites(self) -> list[str]:
        return [effect.relation for effect in self.effects if effect.rewritten]


def strongest(modes: Any) -> str | None:
    """The strongest of some lock modes; None of none."""
    known = [mode for mode in modes if mode in LOCK_MODES]
    return max(known, key=LOCK_MODES.index) if known else None


def blocks_writers(mode: str | None) -> bool:
    """True if a writer of the table waits while this lock is held."""
    return mode in LOCK_MODES and LOCK_MODES.index(str(mode)) >= LOCK_MODES.index("ShareLock")


def measure(conn: psycopg.Connection[Any]) -> Measurement:
    """The state of every user relation, seen from inside the connection's transaction."""
    return {int(row[0]): _state(*row[1:]) for row in conn.execute(_QUERY).fetchall()}


def _state(*values: Any) -> RelationState:
    name, kind, file, dropped, scans, scanned, inserted, updated, deleted, by_index, locks = values
    return RelationState(
        name, kind, file, dropped, scans, scanned, inserted, updated, deleted, by_index, frozenset(locks)
    )


def at_rest(state: Measurement) -> Measurement:
    """The same relations as a new transaction finds them: no locks, all counters at zero."""
    return {
        oid: replace(one, locks=frozenset(), scans=0, rows_scanned=0, inserted=0, updated=0, deleted=0, by_index=0)
        for oid, one in state.items()
    }


def effects(base: Measurement, before: Measurement, after: Measurement) -> StatementEffects:
    """What happened between two measurements. base: the relations that were there before the first statement."""
    found = [
        effect
        for oid, original in base.items()
        if oid in before and (effect := _effect(oid, original, before[oid], after.get(oid)))
    ]
    zero = RelationState("", "", 0, 0, 0, 0, 0, 0, 0, 0, frozenset())
    scanned = written = 0
    for oid, state in after.items():
        old = before.get(oid, zero)
        scanned += max(0, state.rows_scanned - old.rows_scanned) + max(0, state.by_index - old.by_index)
        written += max(0, state.inserted - old.inserted) + max(0, state.updated - old.updated)
        written += max(0, state.deleted - old.deleted)
    return StatementEffects(tuple(found), scanned, written)


def _effect(oid: int, original: RelationState, old: RelationState, new: RelationState | None) -> Effect | None:
    if new is None:
        lock = "AccessExclusiveLock"
        return Effect(
            original.name, original.kind, lock, lock, 0, 0, 0, 0, 0,
            rewritten=False, dropped=True, dropped_columns=0, oid=oid,
        )  # fmt: skip
    effect = Effect(
        relation=original.name,
        kind=original.kind,
        lock=strongest(new.locks - old.locks),
        held=strongest(new.locks),
        scans=max(0, new.scans - old.scans),
        rows_scanned=max(0, new.rows_scanned - old.rows_scanned),
        inserted=max(0, new.inserted - old.inserted),
        updated=max(0, new.updated - old.updated),
        deleted=max(0, new.deleted - old.deleted),
        rewritten=new.file != old.file,
        dropped=False,
        dropped_columns=max(0, new.dropped_columns - old.dropped_columns),
        by_index=max(0, new.by_index - old.by_index),
        oid=oid,
    )
    counts = (
        effect.scans,
        effect.rows_scanned,
        effect.inserted,
        effect.updated,
        effect.deleted,
        effect.dropped_columns,
        effect.by_index,
    )
    return effect if effect.lock or effect.rewritten or any(counts) else None

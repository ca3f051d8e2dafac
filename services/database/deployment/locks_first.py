"""Knows which locks a DROP will need, and how to take them all, before anything else, in the order in which writers do.

Whoever writes takes the lock of a view, or of a table whose policy reads another, before those of the tables behind it,
of a table before those that its foreign keys lead to, of a partitioned table before those of its partitions. A DROP
takes them the other way round, one by one: with the first held, writers come to stand before it who hold what it needs
next, and it never gets through.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.deployment.guarded import StatementFailed, Watch, run_quietly
from services.database.script import Statement
from services.database.snapshots.foretold import Names, dropped_columns, dropped_tables

_ROUNDS = 4

_NEEDED = """
WITH RECURSIVE named(oid, attname) AS (
  SELECT pg_catalog.to_regclass(n.name)::oid, n.attname
  FROM ROWS FROM (pg_catalog.unnest(%(tables)s::text[]), pg_catalog.unnest(%(columns)s::text[])) n(name, attname)
  UNION SELECT i.inhrelid, n.attname FROM named n JOIN pg_catalog.pg_inherits i ON i.inhparent = n.oid
), goes AS (
  SELECT n.oid, a.attnum FROM named n
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = n.oid AND a.attname = n.attname AND NOT a.attisdropped
  WHERE n.oid IS NOT NULL AND (n.attname IS NULL OR a.attnum IS NOT NULL)
), readers AS MATERIALIZED (
  SELECT DISTINCT COALESCE(r.ev_class, p.polrelid) AS relation, d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d
  LEFT JOIN pg_catalog.pg_rewrite r
    ON r.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.ev_class <> d.refobjid
  LEFT JOIN pg_catalog.pg_policy p
    ON p.oid = d.objid AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND p.polrelid <> d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND COALESCE(r.oid, p.oid) IS NOT NULL
), over(ahead, behind) AS (
  SELECT r.relation, r.refobjid FROM readers r
  JOIN goes g ON g.oid = r.refobjid AND (g.attnum IS NULL OR g.attnum = r.refobjsubid)
  UNION SELECT r.relation, r.refobjid FROM over o
  JOIN readers r ON r.refobjid = o.ahead JOIN pg_catalog.pg_class c ON c.oid = o.ahead AND c.relkind IN ('v', 'm')
)
SELECT ahead::bigint, behind::bigint FROM over
UNION SELECT c.conrelid::bigint, c.confrelid::bigint FROM pg_catalog.pg_constraint c
JOIN goes g ON (g.oid = c.confrelid AND (g.attnum IS NULL OR g.attnum = ANY (c.confkey)))
            OR (g.oid = c.conrelid AND (g.attnum IS NULL OR g.attnum = ANY (c.conkey)))
WHERE c.contype = 'f'
UNION SELECT i.inhparent::bigint, i.inhrelid::bigint FROM pg_catalog.pg_inherits i
JOIN goes g ON g.oid = i.inhrelid AND g.attnum IS NULL
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
UNION SELECT oid::bigint, oid::bigint FROM goes
"""
"""Pairs (ahead, behind): of the relations that a DROP needs, which one writers lock before which other."""

_RELATIONS = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,
       pg_catalog.pg_get_userbyid(c.relowner)::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%s::bigint[]::oid[]) AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relpersistence <> 't'
  AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
"""
"""Those of them that may be locked by us; what others own is left to the DROP itself."""


@dataclass(frozen=True, slots=True)
class _Lock:
    """One relation to be locked, and the SQL that does so, and nothing else."""

    oid: int
    sql: str


def lock_what_goes(conn: psycopg.Connection[Any], statements: Sequence[Statement], watch: Watch) -> None:
    """Lock all that the statements need which drop tables or columns, before what they take is copied: to wait for a
    lock with the copy taken, and others held, would keep writers waiting for both.

    Raises StatementFailed, after which nothing is held that was taken here, if others are in the way; Stopped.
    """
    named: list[tuple[Names, str | None]] = [(table, None) for one in statements for table in dropped_tables(one)]
    named += [(table, column) for one in statements for table, column in dropped_columns(one)]
    locks = _locks(conn, named) if named else []
    if not locks:
        return
    first = next(one for one in statements if dropped_tables(one) or dropped_columns(one))
    for round_number in range(_ROUNDS):
        conn.execute("SAVEPOINT ops_locks")
        try:
            _take(conn, locks, first, watch)
        except _Blocked as blocked:
            conn.execute("ROLLBACK TO SAVEPOINT ops_locks; RELEASE SAVEPOINT ops_locks")
            at = locks.index(blocked.lock)
            if at == 0 or round_number == _ROUNDS - 1:
                raise blocked.failed from blocked.failed.error
            # Whoever holds it may wait for one that we held: so this one comes first now, with nothing else held.
            locks = [locks[at], *locks[:at], *locks[at + 1 :]]
        else:
            conn.execute("RELEASE SAVEPOINT ops_locks")
            return


class _Blocked(Exception):
    def __init__(self, lock: _Lock, failed: StatementFailed) -> None:
        super().__init__(lock.sql)
        self.lock = lock
        self.failed = failed


def _take(conn: psycopg.Connection[Any], locks: Sequence[_Lock], first: Statement, watch: Watch) -> None:
    """Take them all: as patient for the first as a statement is, for all others together as long as while holding."""
    patience = watch.limits.lock_timeout_ms
    holding = max(1, patience // 3)
    until = 0.0
    for number, lock in enumerate(locks):
        left = patience if number == 0 else max(1, round((until - time.monotonic()) * 1000))
        conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(left))
        try:
            run_quietly(conn, replace(first, sql=lock.sql), watch)
        except StatementFailed as failed:
            if isinstance(failed.error, errors.LockNotAvailable | errors.DeadlockDetected):
                raise _Blocked(lock, failed) from failed
            raise
        if number == 0:
            until = time.monotonic() + holding / 1000
    conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(holding))


def _locks(conn: psycopg.Connection[Any], named: Sequence[tuple[Names, str | None]]) -> list[_Lock]:
    """What to lock for the tables, and columns of tables, that are dropped, in the order in which writers lock."""
    given = {
        "tables": [sql.Identifier(*table).as_string(conn) for table, _ in named],
        "columns": [column for _, column in named],
    }
    pairs = conn.execute(_NEEDED, given).fetchall()
    oids = sorted({oid for pair in pairs for oid in pair})
    found = {row[0]: row for row in conn.execute(_RELATIONS, (oids,)).fetchall()}
    return [_Lock(oid, _locking(*found[oid][1:]).as_string(conn)) for oid in _in_order(oids, pairs) if oid in found]


def _locking(schema: str, name: str, kind: str, owner: str) -> sql.Composed:
    relation = sql.Identifier(schema, name)
    if kind in ("v", "m"):
        # LOCK TABLE would lock all tables of a view as well; to make its owner its owner locks it, and changes nothing.
        return sql.SQL("ALTER TABLE {} OWNER TO {}").format(relation, sql.Identifier(owner))
    return sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(relation)


def _in_order(oids: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Each after those ahead of it; where they stand ahead of each other in a ring, the lowest begins."""
    waits = {oid: {ahead for ahead, behind in pairs if behind == oid and ahead != oid} for oid in oids}
    ordered: list[int] = []
    while waits:
        oid = next((oid for oid, ahead in waits.items() if not ahead), min(waits))
        del waits[oid]
        ordered.append(oid)
        for ahead in waits.values():
            ahead.discard(oid)
    return ordered

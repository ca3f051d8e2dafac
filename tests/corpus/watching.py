"""What a target goes through while it is rehearsed: which locks are held there, and what reaches its WAL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from services.database.server import Server

BY_READING = {
    ("Heap2", "PRUNE"),
    ("Heap2", "PRUNE_ON_ACCESS"),
    ("XLOG", "FPI_FOR_HINT"),
}
"""What reading a page may write: dead rows taken out of it, and its hint bits."""
BY_ITSELF = {
    ("Standby", "RUNNING_XACTS"),
    ("XLOG", "CHECKPOINT_ONLINE"),
    ("XLOG", "CHECKPOINT_REDO"),
}
"""What a server writes now and then without being asked."""

_PACE_S = 0.001
_LOCKS = """
SELECT coalesce(c.relname, l.locktype), l.mode, l.granted, a.application_name, left(a.query, 60)
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
WHERE a.datname = %s AND a.pid <> ALL (%s) AND l.mode <> 'AccessShareLock' AND l.locktype <> 'virtualxid'
  AND NOT (l.locktype = 'object' AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass)
"""
"""Every session locks the database's own row for the moment in which it connects: nobody waits for that but DROP and
ALTER DATABASE, and it is left out."""


@dataclass
class Seen:
    """samples: how often was looked; sessions: how often somebody else was there; locks: all above AccessShare."""

    samples: int = 0
    sessions: int = 0
    locks: set[tuple[Any, ...]] = field(default_factory=set)


@contextmanager
def locks_watched(server: Server, database: str, *, but: list[int]) -> Iterator[Seen]:
    """Look, about a thousand times a second, which locks sessions hold or want in a database.

    but: process ids that are not looked at.
    """
    seen, done = Seen(), threading.Event()
    with psycopg.connect(server.dsn(database), autocommit=True) as conn:
        known = [*but, conn.info.backend_pid]

        def look() -> None:
            while not done.wait(_PACE_S):
                seen.samples += 1
                seen.locks |= set(conn.execute(_LOCKS, (database, known)).fetchall())
                others = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> ALL (%s)"
                row = conn.execute(others, (database, known)).fetchone()
                seen.sessions += bool(row and row[0])

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield seen
        finally:
            done.set()
            watcher.join()


@contextmanager
def all_but_reading_barred(admin: psycopg.Connection[Any]) -> Iterator[None]:
    """Hold a lock on every table of the database that lets readers in and makes everybody else wait."""
    tables = admin.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    ).fetchall()
    with admin.transaction():
        for schema, table in tables:
            admin.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(sql.Identifier(schema, table)))
        yield


def wal_position(admin: psycopg.Connection[Any]) -> str:
    """Where the write-ahead log ends now; all before it can be read."""
    row = admin.execute("SELECT pg_catalog.pg_current_wal_insert_lsn()::text").fetchone()
    admin.execute("SELECT pg_catalog.pg_switch_wal()")  # writes out what no commit wrote out
    return str(row[0]) if row else ""


def wal_kinds(admin: psycopg.Connection[Any], start: str) -> set[tuple[str, str]]:
    """The kinds of records (resource manager, type) written since `start`. Needs the extension pg_walinspect."""
    end = wal_position(admin)
    if end == start:
        return set()
    found = admin.execute(
        "SELECT DISTINCT resource_manager, record_type FROM pg_get_wal_records_info(%s, %s)", (start, end)
    ).fetchall()
    return {(str(one), str(other)) for one, other in found} - {("XLOG", "SWITCH")}

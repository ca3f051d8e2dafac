"""Knows the one lock for changing a database: taken by trying, held as long as the connection, its holder named."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import psycopg

from services.errors import Refused

LOCK_KEY = 7_305_808_869_229_538_401
"""One advisory lock a database: "release!" as a number. Whoever holds it deploys or rolls back."""

_ENDING_S, _LOOK_EVERY_S = 0.5, 0.05


def try_lock(conn: psycopg.Connection[Any]) -> bool:
    """Take the one lock for changing this database, without waiting. It lasts as long as the connection."""
    row = conn.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    return row is not None and bool(row[0])


def require_lock(conn: psycopg.Connection[Any]) -> None:
    """Take the lock, or raise Refused naming who holds it.

    Tried for half a second: the server may still be busy ending a session that was just closed. Waiting in the lock
    itself would stand in the way of concurrent index builds.
    """
    until = time.monotonic() + _ENDING_S
    while not try_lock(conn):
        if time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
            continue
        _refuse(conn)


def _refuse(conn: psycopg.Connection[Any]) -> NoReturn:
    holder = lock_holder(conn)
    who = f"{holder[1] or 'another program'} (process {holder[0]})" if holder else "another session"
    raise Refused(
        f"Another deploy or rollback is under way on this database: {who}.",
        "Nothing was changed.",
        "Wait for it to end, then try again.",
    )


def lock_holder(conn: psycopg.Connection[Any]) -> tuple[int, str] | None:
    """(process id, application) of the session that holds the lock for changing this database."""
    return conn.execute(
        "SELECT l.pid, COALESCE(a.application_name, '') FROM pg_catalog.pg_locks l"
        " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
        " AND (l.classid::bigint << 32) | l.objid::bigint = %s",
        (LOCK_KEY,),
    ).fetchone()

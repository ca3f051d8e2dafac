"""Knows how to take the place of our own session whose client died: it may still run, and hold the lock and more."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from services.database.deployment.guarded import Watch
from services.database.deployment.receipts import application_name, require_lock, try_lock

_LOOK_EVERY_S = 0.1

_OLD_SESSIONS = (
    "SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = %s AND usename = SESSION_USER"
    " AND datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()"
)


def take_the_lock(conn: psycopg.Connection[Any], job_id: str, watch: Watch) -> None:
    """Take the one lock for changing this database, by trying and never by waiting in it.

    A session of the same job is what a client left that died: the server ends it within a moment (it looks for its
    client), and if it does not, we do. Anybody else's lock is tried for `old_session_s` seconds, as its holder may be
    such a session as well. Raises Refused naming the holder; Stopped.
    """
    _end_old_sessions(conn, job_id, watch)
    until = time.monotonic() + watch.limits.old_session_s
    while not try_lock(conn):
        watch.stop_if_cancelled()
        if time.monotonic() >= until:
            require_lock(conn)
            return
        time.sleep(_LOOK_EVERY_S)


def _end_old_sessions(conn: psycopg.Connection[Any], job_id: str, watch: Watch) -> None:
    name = application_name(job_id)
    until = time.monotonic() + watch.limits.old_session_s
    told = ended = False
    while rows := conn.execute(_OLD_SESSIONS, (name,)).fetchall():
        watch.stop_if_cancelled()
        if not told:
            told = True
            watch.phase("old-session")
        if not ended and time.monotonic() >= until:
            ended = True
            for (pid,) in rows:
                conn.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
        if time.monotonic() >= until + 2 * watch.limits.old_session_s + 1:
            return  # The lock tells what it still holds.
        time.sleep(_LOOK_EVERY_S)

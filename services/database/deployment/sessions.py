"""Knows how to take the place of our own session whose client died: it may still run, and hold the lock and more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from services.database.change_lock import require_lock, try_lock
from services.database.connect import connect
from services.database.deployment.guarded import Watch
from services.database.deployment.receipts import (
    Outcome,
    OutcomeColumn,
    application_name,
    outcome,
)
from services.database.snapshots.settling import settle_or_tell
from services.errors import OpsError, Unavailable

_LOOK_EVERY_S = 0.1
_OUTCOME_S = 30

_OLD_SESSIONS = (
    "SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = %s AND usename = SESSION_USER"
    " AND datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()"
)


def take_the_lock(conn: psycopg.Connection[Any], job_id: str, watch: Watch) -> int:
    """Take the one lock for changing this database, by trying and never by waiting in it; returns our process there.

    A session of the same job is what a client left that died: the server ends it within a moment (it looks for its
    client), and if it does not, we do. Anybody else's lock is tried for `old_session_s` seconds, as its holder may be
    such a session as well. What an earlier change that was cut short after its COMMIT left to be worked out is worked
    out first. Raises Refused naming the holder; Stopped.
    """
    _end_old_sessions(conn, job_id, watch)
    until = time.monotonic() + watch.limits.old_session_s
    while not try_lock(conn):
        watch.stop_if_cancelled()
        if time.monotonic() >= until:
            require_lock(conn)
            break
        time.sleep(_LOOK_EVERY_S)
    settle_or_tell(conn, watch.emit)
    row = conn.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def loss_in_words(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Within: a connection that dies where nobody looks into it is told as Unavailable, and no driver's error."""
    try:
        yield
    except psycopg.Error as error:
        if not conn.closed:
            raise
        raise Unavailable(
            "The connection to the database was lost.",
            "What was begun is applied wholly or not at all.",
            "Ask for it again: it finds out, and does only what is left to do.",
        ) from error


def outcome_after_loss(url: str, job_id: str, process: int, watch: Watch, column: OutcomeColumn = "job_id") -> Outcome:
    """What became of the job whose connection we have just lost.

    process: the server's, as `take_the_lock` gave it. Where the server has not noticed the loss, its session would
    idle with all its locks: since nothing of ours can reach it any more, we end it after `old_session_s` seconds.
    Raises Unavailable where the server does not tell within half a minute.
    """
    watch.phase("outcome")
    began = time.monotonic()
    while time.monotonic() < began + _OUTCOME_S:
        try:
            if time.monotonic() >= began + watch.limits.old_session_s:
                end_lost(url, job_id, process)
            found = outcome(url, job_id, column)
        except (OpsError, psycopg.Error):
            found = "in-progress"  # the server does not answer yet: it may be restarting
        if found != "in-progress":
            return found
        time.sleep(_LOOK_EVERY_S)
    raise Unavailable(
        "The connection was lost, and whether the change was applied cannot be told yet.",
        "It is applied wholly or not at all; the deploy receipt in the database tells which.",
        "Resume this job when the database answers again.",
    )


def end_lost(url: str, job_id: str, process: int) -> None:
    """End the session whose connection we have lost, if the server still holds it for alive: nobody else's."""
    with connect(url) as conn:
        conn.execute(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
            " WHERE pid = %s AND application_name = %s AND usename = SESSION_USER"
            " AND datname = pg_catalog.current_database()",
            (process, application_name(job_id)),
        )


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

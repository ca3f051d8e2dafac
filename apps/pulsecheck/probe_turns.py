"""Who may write test data to PulseCheck now: one run at a time, and within a run each test account by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from services.checks.context import CheckContext, NotTried
from services.clients.deadline import remaining

LOCK_KEY = 7_203_114  # of pg_advisory_lock: one run that probes at a time per database
WAIT_S = 6.0
LONGEST_S = 30.0


class RunTurn:
    """The right of this run to write, held while any of its probes is at work. Safe to use from many threads."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        self._guard = threading.Lock()
        self._probes = 0
        self._conn: psycopg.Connection[Any] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raises NotTried while another run writes to the same database."""
        with self._guard:
            if self._conn is None:
                self._conn = self._locked()
            self._probes += 1
        try:
            yield
        finally:
            with self._guard:
                self._probes -= 1
                if not self._probes and self._conn is not None:
                    self._conn.close()
                    self._conn = None

    def _locked(self) -> psycopg.Connection[Any]:
        conn = self._context.connection(as_owner=True, read_only=False, deadline_s=WAIT_S + 2)
        try:
            conn.execute(f"set lock_timeout = '{WAIT_S:g}s'".encode())
            conn.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
        except psycopg.errors.LockNotAvailable:
            conn.close()
            raise NotTried("Another run is writing test data to this target.", do="Try again in a moment.") from None
        except psycopg.Error:
            conn.close()
            raise
        return conn


def run_turn(context: CheckContext) -> RunTurn:
    return context.once("probe-run-turn", lambda: RunTurn(context))


@contextmanager
def account_turn(context: CheckContext, purpose: str | None) -> Iterator[None]:
    """The account of a purpose for one probe alone, since whatever is new about it counts as the probe's; None: nobody
    signs in. Raises NotTried where it does not come free in time."""
    if purpose is None:
        yield
        return
    with _alone(context, f"probe-account:{purpose}", f"The test account '{purpose}' was in use"):
        yield


@contextmanager
def ai_turn(context: CheckContext, user_id: str) -> Iterator[None]:
    """AI calls for a caller by one probe alone: the usage log does not tell which probe a call was of."""
    with _alone(context, f"ai-turn:{user_id}", "The companion was being asked"):
        yield


@contextmanager
def _alone(context: CheckContext, key: str, otherwise: str) -> Iterator[None]:
    lock = context.once(key, threading.Lock)
    if not lock.acquire(timeout=remaining(LONGEST_S)):
        raise NotTried(f"{otherwise} by other checks of this run.")
    try:
        yield
    finally:
        lock.release()

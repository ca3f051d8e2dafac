"""Knows how to look at our own working session from a second connection: who blocks it, and how far it has come."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import pq

from services.database.connect import connect
from services.database.deployment.blockers import BLOCKERS_SQL, Blocker, told
from services.database.deployment.progress import PROGRESS_SQL, Progress
from services.database.execution import Emit
from services.errors import OpsError

LOOK_EVERY_S = 0.04
"""A wait for a lock lasts 100 ms at most, so that one must be seen within that time."""

_PROGRESS_EVERY_S = 0.25
_LAST_ANSWER_S = 0.2


class Beside:
    """Asks without ever waiting for the answer: a question is sent at one tick, and its answer read at a later one.

    `blockers` holds who was seen to block since `forget`, by process id.
    """

    def __init__(self, conn: psycopg.Connection[Any] | None, pid: int, emit: Emit) -> None:
        self._conn = conn
        self._pid = pid
        self._emit = emit
        self._asked = False
        self._progress_due = 0.0
        self._told: Progress | None = None
        self.blockers: dict[int, Blocker] = {}

    def forget(self) -> None:
        """A new attempt begins: who blocked the last one is told again if it blocks this one too."""
        self.blockers = {}

    def tick(self, place: Mapping[str, Any]) -> None:
        """Read what has come and ask anew. place: the statement that runs (file, line)."""
        if self._conn is None:
            return
        try:
            if self._asked and not self._read(place, 0):
                return
            self._ask()
        except psycopg.Error:
            self._lost()

    def last_look(self, place: Mapping[str, Any]) -> None:
        """The statement has ended: read an answer that is still on its way, for a fifth of a second at most."""
        if self._conn is None or not self._asked:
            return
        try:
            self._read(place, _LAST_ANSWER_S)
        except psycopg.Error:
            self._lost()

    def _ask(self) -> None:
        assert self._conn is not None
        now = time.monotonic()
        wanted = BLOCKERS_SQL.format(pid=self._pid)
        if now >= self._progress_due:
            self._progress_due = now + _PROGRESS_EVERY_S
            wanted += PROGRESS_SQL.format(pid=self._pid)
        self._conn.pgconn.send_query(wanted.encode())
        self._asked = True

    def _read(self, place: Mapping[str, Any], wait_s: float) -> bool:
        """True once the answer to the last question is read."""
        assert self._conn is not None
        raw, until = self._conn.pgconn, time.monotonic() + wait_s
        while True:
            while raw.is_busy():
                ready, _, _ = select.select([raw.socket], [], [], max(0.0, until - time.monotonic()))
                if not ready:
                    return False
                raw.consume_input()
            result = raw.get_result()
            if result is None:
                self._asked = False
                return True
            if result.status == pq.ExecStatus.TUPLES_OK:
                self._tell(result, place)

    def _tell(self, result: pq.abc.PGresult, place: Mapping[str, Any]) -> None:
        for number in range(result.ntuples):
            row = [_text(result.get_value(number, column)) for column in range(result.nfields)]
            if result.nfields == len(Progress.__slots__):
                self._tell_progress(Progress.of(row))
            else:
                self._tell_blocker(Blocker.of(row), place)

    def _tell_blocker(self, blocker: Blocker, place: Mapping[str, Any]) -> None:
        if blocker.pid not in self.blockers:
            self._emit("blocker", told(blocker, place))
        self.blockers[blocker.pid] = blocker

    def _tell_progress(self, progress: Progress) -> None:
        if progress != self._told:
            self._told = progress
            self._emit("progress", progress.to_json())

    def _lost(self) -> None:
        self._conn = None
        message = "Who blocks us and how far we are cannot be shown: the second connection was lost."
        self._emit("notice", {"message": message, "severity": "WARNING"})


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


@contextmanager
def beside(url: str, conn: psycopg.Connection[Any], emit: Emit, *, application_name: str) -> Iterator[Beside]:
    """Within: a second connection that looks at the session of `conn`. Where there is none to be had, nothing is told:
    the work itself does not need it."""
    row = conn.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    pid = int(row[0]) if row else 0
    try:
        other = connect(url, application_name=application_name, statement_timeout_s=2)
    except OpsError as error:
        message = f"Who blocks us and how far we are cannot be shown: {error.what}"
        emit("notice", {"message": message, "severity": "WARNING"})
        yield Beside(None, pid, emit)
        return
    try:
        yield Beside(other, pid, emit)
    finally:
        other.close()

"""Knows how to run one statement while watching it: notices arrive live, a wish to stop reaches the server at once."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, pq

from services.errors import NotUnderstood

Emit = Callable[[str, dict[str, Any]], None]
Cancelled = Callable[[], bool]
Tick = Callable[[float], None]

_TICK_S = 0.1
_GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY)


class Stopped(Exception):
    """The person asked to stop; the server confirmed that the statement ended."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the statements of one message returned: total rows, and columns and values of the first few.

    Values are the server's text, None for NULL.
    """

    count: int
    columns: tuple[str, ...]
    sample: tuple[tuple[str | None, ...], ...]


def silent(kind: str, payload: dict[str, Any]) -> None:
    """An `emit` for callers that do not listen."""
    del kind, payload


def never() -> bool:
    """A `cancelled` for callers that never stop."""
    return False


def run_sql(
    conn: psycopg.Connection[Any],
    sql: str,
    *,
    cancelled: Cancelled = never,
    tick: Tick | None = None,
    every_s: float = _TICK_S,
    sample: int = 0,
) -> Rows:
    """Send `sql` as psql does (simple protocol), and wait for all its results.

    cancelled is asked every `every_s` seconds; once true, the server is told to cancel. tick(seconds) is called as
    often. sample: how many rows to keep. Raises psycopg.Error as the server reports it, Stopped after a cancel,
    NotUnderstood for a zero byte, at which libpq would end the text without a word.
    """
    if "\0" in sql:
        raise NotUnderstood(
            "A statement holds a zero byte.",
            "The server would have got only what stands before it; this statement was not sent.",
            "Save the script as plain text, without that byte.",
        )
    started = time.monotonic()
    raw = conn.pgconn
    raw.send_query(sql.encode())
    asked, failure, found = False, None, Rows(0, (), ())
    due = started + every_s
    while True:
        while raw.is_busy():
            ready, _, _ = select.select([raw.socket], [], [], max(0.0, due - time.monotonic()))
            if ready:
                raw.consume_input()
            now = time.monotonic()
            # Also where notices keep coming: a statement that never falls silent must still be stopped.
            if now < due:
                continue
            due = now + every_s
            if tick is not None:
                tick(now - started)
            if not asked and cancelled():
                asked = True
                _cancel(conn)
        result = raw.get_result()
        if result is None:
            break
        if result.status == pq.ExecStatus.FATAL_ERROR:
            failure = failure or errors.error_from_result(result, conn.info.encoding)
        elif result.status not in _GOOD:
            _leave_copy(raw, result.status)
        else:
            found = _add(found, result, sample)
    if failure is not None:
        if asked and isinstance(failure, errors.QueryCanceled):
            raise Stopped from failure
        raise failure
    return found


def _cancel(conn: psycopg.Connection[Any]) -> None:
    # If the server does not take it the statement goes on: its time limit ends it, and we wait for the true outcome.
    with suppress(psycopg.Error):
        conn.cancel_safe(timeout=2)


def _leave_copy(raw: pq.abc.PGconn, status: int) -> None:
    """COPY with stdin or stdout cannot be served here: end it so that the server reports an error."""
    if status == pq.ExecStatus.COPY_IN:
        raw.put_copy_end(b"this connection sends no COPY data")
        return
    while raw.get_copy_data(0)[0] > 0:
        continue


def _add(found: Rows, result: pq.abc.PGresult, sample: int) -> Rows:
    if result.status != pq.ExecStatus.TUPLES_OK:
        return found
    columns = tuple((result.fname(i) or b"").decode(errors="replace") for i in range(result.nfields))
    rows = tuple(
        tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
        for row in range(min(sample, result.ntuples))
    )
    # Of several result sets the first that has rows is the one to show.
    keep = found if found.count else Rows(0, columns, rows)
    return Rows(found.count + result.ntuples, keep.columns, keep.sample)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")

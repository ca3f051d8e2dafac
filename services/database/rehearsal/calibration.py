"""Knows how long statements will take on the target's real size: measured at two sizes, continued as a straight line.

Through 100,000 and 300,000 rows such a line met the time for 1,000,000 rows within 0.71 to 1.23 times, over six kinds
of statements and four versions of the server; smaller sizes miss it by far, because of costs that do not grow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.connect import connect
from services.database.execution import Cancelled
from services.database.fingerprint import catalog_fingerprint
from services.database.rehearsal.calibration_rows import CannotFill, fill
from services.database.rehearsal.copy_times import CannotKeep, CopyTimes, all_copied, measure_copies
from services.database.rehearsal.measure import StatementEffects, blocks_writers
from services.database.rehearsal.result import Predicted, PredictedStatement
from services.database.rehearsal.runs import Manner, Run, run
from services.database.rehearsal.shadow import Shadow
from services.database.script import Statement
from services.database.verification import Query, verify_inside

LARGE, SMALL = 300_000, 100_000
"""The two sizes, in rows; a target with fewer rows than that is measured at its own size and at a third of it."""

_PARTS = (SMALL / LARGE, 1.0)

BUDGET_S = 30.0
"""How long measuring may take, in seconds. Within a third of it all is measured twice."""

_ERROR = 1.5
_WORTH_IT = 20_000
_TABLES = ("r", "p", "m")
_NO_COPIES = CopyTimes(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Forecast:
    """By index, what each statement will take; `whole` None where it could not be told, `why` then says why."""

    statements: Mapping[int, PredictedStatement]
    whole: Predicted | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class AtSize:
    """All statements on tables of these sizes: the time (ms) of each that ran, what it took to keep there what they
    take, and (ms) to look at it all before COMMIT: the verification, and the catalog once more."""

    sizes: Mapping[str, int]
    ms: tuple[float, ...]
    copies: CopyTimes
    looks_ms: float

    def or_less(self, again: AtSize) -> AtSize:
        """The shorter of two measurements in everything: what else a machine does can only make them longer."""
        return AtSize(
            self.sizes,
            tuple(min(pair) for pair in zip(self.ms, again.ms, strict=False)),
            CopyTimes(
                min(self.copies.before_ms, again.copies.before_ms), min(self.copies.after_ms, again.copies.after_ms)
            ),
            min(self.looks_ms, again.looks_ms),
        )


def predict(
    copy: Shadow,
    statements: Sequence[Statement],
    apart: frozenset[int],
    first: Run,
    cancelled: Cancelled,
    *,
    verify: Sequence[Query] = (),
    budget_s: float = BUDGET_S,
) -> Forecast:
    """Predict times and stalls on the target's real size. first: the measured run on the shadow as it is.

    verify: the release's verification queries, which a deploy asks before its COMMIT, with all locks held.

    Only what reads, writes or builds over tables of more than 20,000 rows is measured anew, and the copies that a
    deploy makes of rows and columns that it takes from such tables; raises Stopped.
    """
    began = time.monotonic()
    copied = all_copied(statements, first)
    real = _real_rows(copy, _worked_on(first) | copied.keys())
    large = {table: rows for table, rows in real.items() if rows > _WORTH_IT}
    times = {index: one.ms for index, one in enumerate(first.statements)}
    if not large:
        looks_ms = _measured_at(copy, statements, apart, {}, 1.0, (), verify, cancelled).looks_ms
        return _told(first, times, 1.0 + (_ERROR - 1) / 2, looks_ms)
    copied = {table: places for table, places in copied.items() if table in large}
    measured: list[AtSize] = []
    try:
        for part in _PARTS:
            if time.monotonic() > began + budget_s:
                return Forecast({}, None, f"it would take longer than {budget_s:g} s to measure")
            measured.append(_measured_at(copy, statements, apart, large, part, copied, verify, cancelled))
        if time.monotonic() < began + budget_s / 3:
            again = [_measured_at(copy, statements, apart, large, part, copied, verify, cancelled) for part in _PARTS]
            measured = [one.or_less(other) for one, other in zip(measured, again, strict=True)]
    except (CannotFill, CannotKeep) as error:
        return Forecast({}, None, str(error))
    for index, (_, done) in enumerate(first.measured):
        if any(len(one.ms) <= index for one in measured):
            return Forecast({}, None, f"{statements[index].file}:{statements[index].line} fails on made rows")
        if table := _largest(done, large):
            points = [(one.sizes[table], one.ms[index]) for one in measured]
            times[index] = on_the_line(points, large[table])
    beyond = max(rows / LARGE for rows in large.values())
    wrong_by = _ERROR * (1 + 0.2 * math.log10(beyond)) if beyond > 1 else _ERROR
    copying = frozenset(index for places in copied.values() for index in places)
    most = max(large, key=lambda table: large[table])
    looks_ms = on_the_line([(one.sizes[most], one.looks_ms) for one in measured], large[most])
    return _told(first, times, wrong_by, looks_ms, _copies_of_real_size(measured, copied, large), copying)


def _copies_of_real_size(measured: Sequence[AtSize], copied: Collection[str], large: Mapping[str, int]) -> CopyTimes:
    if not copied:
        return _NO_COPIES
    most = max(copied, key=lambda table: large[table])
    return CopyTimes(
        on_the_line([(one.sizes[most], one.copies.before_ms) for one in measured], large[most]),
        on_the_line([(one.sizes[most], one.copies.after_ms) for one in measured], large[most]),
    )


def on_the_line(points: Sequence[tuple[int, float]], rows: int) -> float:
    """The time (ms) for so many rows on the straight line through two measured points; never less than the larger
    point's where there are more rows than that."""
    (few, short), (many, long) = points
    if many == few:
        return long
    slope = max(0.0, (long - short) / (many - few))
    at = long + slope * (rows - many)
    return max(at, long) if rows >= many else max(at, 0.0)


def _worked_on(first: Run) -> set[str]:
    """Tables that some statement read through, wrote to, or built anew."""
    return {
        effect.relation
        for _, done in first.measured
        for effect in done.effects
        if effect.kind in _TABLES and (effect.scans or effect.rewritten or effect.lock == "RowExclusiveLock")
    }


def _real_rows(copy: Shadow, tables: set[str]) -> dict[str, int]:
    found = {}
    with connect(copy.as_superuser()) as conn:
        for table in tables:
            schema, _, bare = table.partition(".")
            query = sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(sql.Identifier(schema, bare))
            row = conn.execute(query).fetchone()
            found[table] = copy.sizes.get(table, int(row[0]) if row else 0)
    return found


def _measured_at(
    copy: Shadow,
    statements: Sequence[Statement],
    apart: frozenset[int],
    large: Mapping[str, int],
    part: float,
    copied: Collection[str],
    verify: Sequence[Query],
    cancelled: Cancelled,
) -> AtSize:
    """Fill the tables on a clone of their own, keep there what goes and undo it, and run all statements."""
    name = copy.clone()
    with connect(copy.as_superuser(name)) as conn:
        sizes = {table: fill(conn, table, round(min(rows, LARGE) * part), cancelled) for table, rows in large.items()}
        conn.execute("CHECKPOINT")
    copies = measure_copies(copy.url_of(name), statements, apart, sorted(copied), cancelled) if copied else _NO_COPIES
    done = run(copy.url_of(name), statements, apart, Manner(), cancelled=cancelled)
    looks_ms = _look_at_all(copy.url_of(name), verify, cancelled)
    copy.drop(name)
    return AtSize(sizes, tuple(one.ms for one in done.statements), copies, looks_ms)


def _look_at_all(url: str, verify: Sequence[Query], cancelled: Cancelled) -> float:
    """Milliseconds in which the queries are asked as a deploy does before its COMMIT, and the catalog is read."""
    with connect(url) as conn:
        began = time.monotonic()
        catalog_fingerprint(conn)
        conn.execute("BEGIN")
        verify_inside(conn, verify, search_path=_search_path(conn), cancelled=cancelled)
        took_ms = (time.monotonic() - began) * 1000
        conn.execute("ROLLBACK")
        return took_ms


def _search_path(conn: psycopg.Connection[Any]) -> str:
    row = conn.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
    return str(row[0]) if row else ""


def _largest(done: StatementEffects, large: Mapping[str, int]) -> str | None:
    """The table with the most rows that one statement worked on."""
    worked = [
        one.relation
        for one in done.effects
        if one.relation in large and (one.scans or one.rewritten or one.lock == "RowExclusiveLock")
    ]
    return max(worked, key=lambda table: large[table], default=None)


def _told(
    first: Run,
    times: Mapping[int, float],
    error: float,
    looks_ms: float,
    copies: CopyTimes = _NO_COPIES,
    copying: frozenset[int] = frozenset(),
) -> Forecast:
    """From the times to what others will wait: a lock is held from its statement to COMMIT, whatever comes after.

    looks_ms: what looking at it all takes before COMMIT.
    copying: places of statements whose tables are copied. That is done before the first statement, and from there on
    nobody writes to them.
    """
    found: dict[int, PredictedStatement] = {}
    whole = copies.before_ms + sum(times.values()) + copies.after_ms + looks_ms
    left = copies.after_ms + looks_ms
    for index in range(len(first.measured) - 1, -1, -1):
        ms = times[index]
        left += ms
        _, done = first.measured[index]
        stops = any(one.kind in _TABLES and not one.dropped and blocks_writers(one.lock) for one in done.effects)
        stall = whole if index in copying else left if stops else None
        found[index] = PredictedStatement(ms, ms / error, ms * error, stall)
    stalls = [one.stall_ms for one in found.values() if one.stall_ms is not None]
    return Forecast(found, Predicted(whole, max(stalls, default=0.0), error))

"""Knows which statements will keep writers waiting for longer than is decent, by the rehearsal's prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.database.script import Statement
from services.errors import Refused

DECENT_STALL_MS = 150.0
"""A writer that waits no longer than this goes on as if nothing had been; more has to be accepted."""

_BLOCKS_WRITERS = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")


@dataclass(frozen=True, slots=True)
class Stall:
    """One statement, the tables whose writers wait, and for how many milliseconds."""

    file: str
    line: int
    tables: tuple[str, ...]
    ms: float


def stalls(statements: Sequence[Statement], predicted: Sequence[Mapping[str, Any]]) -> Iterator[Stall]:
    """The predicted stalls of these statements. predicted: the rehearsal's statements, as its document holds them."""
    known = {(one["file"], one["line"], one["sql"]): one for one in predicted}
    for statement in statements:
        told = known.get((statement.file, statement.line, statement.sql))
        ms = (told or {}).get("stall_ms")
        if told is None or ms is None:
            continue
        locks: Mapping[str, str] = told.get("locks") or {}
        tables = tuple(sorted(table for table, mode in locks.items() if mode in _BLOCKS_WRITERS))
        yield Stall(statement.file, statement.line, tables, float(ms))


def longest_stall_ms(rehearsal: Mapping[str, Any]) -> float | None:
    """How long writers will wait at the most, as a rehearsal's document predicts; None where nobody waits for long."""
    waits = [float(one["stall_ms"]) for one in rehearsal.get("statements") or () if one.get("stall_ms")]
    longest = max(waits, default=0.0)
    return longest if longest > DECENT_STALL_MS else None


def refuse_stalls(
    statements: Sequence[Statement], predicted: Sequence[Mapping[str, Any]], accept_stall_ms: float | None
) -> None:
    """Raises Refused naming the longest stall that nobody accepted; one that was not predicted is let through."""
    accepted = max(DECENT_STALL_MS, accept_stall_ms or 0.0)
    longest = max(stalls(statements, predicted), key=lambda stall: stall.ms, default=None)
    if longest is None or longest.ms <= accepted:
        return
    on = f" on {', '.join(longest.tables)}" if longest.tables else ""
    raise Refused(
        f"This statement will keep writers{on} waiting for about {longest.ms:.0f} ms.",
        f"Nothing was changed: {accepted:.0f} ms are accepted.",
        f"Write it so that it takes no such lock, or accept it: --accept-stall {rounded_up(longest.ms)}.",
        place=f"{longest.file}:{longest.line}",
    )


def rounded_up(ms: float) -> int:
    """The next full 100 ms: what is offered to be accepted for a predicted stall."""
    return int(-(-ms // 100) * 100)

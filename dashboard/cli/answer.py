"""What a command gives back: one document, the same told in lines, and the exit code that a script may rely on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from services.errors import OpsError

GOOD, BAD, UNKNOWN, NOT_UNDERSTOOD = 0, 1, 2, 64

OF_VERDICT: Mapping[str, int] = {"pass": GOOD, "fail": BAD, "unknown": UNKNOWN}


@dataclass(frozen=True, slots=True)
class Answer:
    """document: what --json prints; lines: what a person reads; exit_code: 0 good, 1 bad, 2 unknown, 64."""

    document: Mapping[str, Any]
    lines: tuple[str, ...] = ()
    exit_code: int = GOOD

    @classmethod
    def of(cls, document: Mapping[str, Any], lines: Iterable[str], exit_code: int = GOOD) -> Answer:
        return cls(document, tuple(lines), exit_code)


def error_answer(error: OpsError) -> Answer:
    """An error as an answer: its parts under "error", its sentences as lines."""
    lines = [error.what, *(part for part in (error.means, error.do) if part)]
    if error.place:
        lines.append(f"Where: {error.place}")
    return Answer.of({"error": error.to_json()}, lines, error.exit_code)


def print_answer(answer: Answer, *, as_json: bool, out: TextIO) -> None:
    """Print one answer: with as_json exactly one document, else its lines (those of an error on standard error)."""
    if as_json:
        print(json.dumps(answer.document, indent=2, default=str), file=out, flush=True)
        return
    stream = sys.stderr if "error" in answer.document else out
    for line in answer.lines:
        print(line, file=stream)
    stream.flush()


def say(address_line: str, *, as_json: bool) -> None:
    """The line of a command that stays in the foreground, printed when what it names really answers."""
    line = json.dumps({"address": address_line.partition(": ")[2]}) if as_json else address_line
    print(line, file=sys.__stdout__, flush=True)


def say_worker(worker: str, *, as_json: bool) -> None:
    """The line of a worker in the foreground, printed when the store has taken its first sign of life."""
    line = json.dumps({"worker": worker}) if as_json else f"Worker: {worker}"
    print(line, file=sys.__stdout__, flush=True)


def tell(sentence: str) -> None:
    """A sentence on the way, for the person who waits; never on standard output."""
    print(sentence, file=sys.stderr, flush=True)


def columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines with aligned columns, the last one as long as it likes."""
    table = [tuple(str(cell) for cell in row) for row in rows]
    if not table:
        return []
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]) - 1)]
    return ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in table]


Tell = Callable[[str], None]

"""A measured value: several rounds, their median and spread, and how they are printed as a row."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """what was measured, in which unit, in how many rounds; beside: the plain thing's rounds, if there is one."""

    what: str
    unit: str
    rounds: Sequence[float]
    beside: Sequence[float] = ()
    beside_what: str = ""
    promise: str = ""

    def row(self) -> tuple[str, ...]:
        median = statistics.median(self.rounds)
        spread = f"{min(self.rounds):.4g} .. {max(self.rounds):.4g}"
        plain = statistics.median(self.beside) if self.beside else None
        other = f"{plain:.4g} {self.unit} ({self.beside_what})" if plain is not None else ""
        times = f"x {median / plain:.2f}" if plain else ""
        return (self.what, f"{median:.4g} {self.unit}", spread, other, times, self.promise)


HEAD = ("measured", "median", "spread", "beside", "ratio", "promise")


def table(measures: Iterable[Measure]) -> list[str]:
    """The measures as lines with aligned columns."""
    rows = [HEAD, *(measure.row() for measure in measures)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]

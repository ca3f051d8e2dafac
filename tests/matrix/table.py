"""What was said against what is so: wrong cells, the figures over them, and the table for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.verdict import Verdict
from tests.matrix.claims import UNSEEN, Cell, Row, cell

SHORT = {Verdict.PASS: "P", Verdict.FAIL: "F", Verdict.UNKNOWN: "u"}
Said = Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class Judged:
    """One cell: what was said of a claim under a fault, and what may be said."""

    fault: str
    claim: str
    said: Verdict
    truth: Cell

    @property
    def right(self) -> bool:
        return self.said in self.truth.allowed

    @property
    def false_pass(self) -> bool:
        return not self.right and self.said is Verdict.PASS

    @property
    def false_fail(self) -> bool:
        return not self.right and self.said is Verdict.FAIL

    @property
    def timid(self) -> bool:
        """Unknown, where it could have been seen."""
        return not self.right and self.said is Verdict.UNKNOWN

    @property
    def under_the_silence_rule(self) -> bool:
        """What had to be asked timed out or was not understood: unknown is the only right word."""
        return self.truth.silent and self.truth.allowed == UNSEEN

    def sentence(self) -> str:
        may = " or ".join(sorted(one.value for one in self.truth.allowed))
        return f"{self.fault} / {self.claim}: said {self.said.value}, the world says {may}"


@dataclass
class Table:
    """All cells of a run."""

    cells: list[Judged] = field(default_factory=list)

    def add(self, row: Row, said: Said) -> list[Judged]:
        """Judge what was said under one fault; returns the new cells."""
        judged = [Judged(row.fault, claim, verdict, cell(row, claim)) for claim, verdict in said.items()]
        self.cells += judged
        return judged

    @property
    def false_passes(self) -> list[Judged]:
        return [one for one in self.cells if one.false_pass]

    @property
    def false_fails(self) -> list[Judged]:
        return [one for one in self.cells if one.false_fail]

    @property
    def timid(self) -> list[Judged]:
        return [one for one in self.cells if one.timid]

    @property
    def argued(self) -> list[Judged]:
        return [one for one in self.cells if one.truth.reason]

    @property
    def silenced(self) -> list[Judged]:
        return [one for one in self.cells if one.under_the_silence_rule]

    def share(self, some: Sequence[Judged]) -> float:
        return len(some) / len(self.cells) if self.cells else 0.0

    def figures(self) -> str:
        """The figures, one a line."""
        kept = sum(one.said is Verdict.UNKNOWN for one in self.silenced)
        return "\n".join(
            (
                f"faults {len({one.fault for one in self.cells})}, checks {len({one.claim for one in self.cells})},"
                f" cells {len(self.cells)}, of which {len(self.argued)} can be argued ({self.share(self.argued):.1%})",
                f"false passes: {len(self.false_passes)}",
                f"false fails: {len(self.false_fails)} ({self.share(self.false_fails):.2%})",
                f"time-outs and not-understoods that are unknown: {kept} of {len(self.silenced)}",
                f"unknown where it could be seen: {len(self.timid)} ({self.share(self.timid):.2%})",
            )
        )

    def drawn(self) -> str:
        """Faults down, checks across: P pass, F fail, u unknown; a wrong one is in brackets, an arguable one small."""
        columns = list(dict.fromkeys(one.claim for one in self.cells))
        faults = list(dict.fromkeys(one.fault for one in self.cells))
        by_place = {(one.fault, one.claim): one for one in self.cells}
        wide = max((len(fault) for fault in faults), default=0)
        lines = [*_heads(columns, wide)]
        for fault in faults:
            marks = (_mark(by_place.get((fault, claim))) for claim in columns)
            lines.append(f"{fault:<{wide}} {''.join(marks)}")
        wrong = [one.sentence() for one in self.cells if not one.right]
        legend = "P pass, F fail, u unknown; [wrong]; .arguable"
        return "\n".join([*lines, legend, *wrong, self.figures()])


def _mark(one: Judged | None) -> str:
    if one is None:
        return " - "
    letter = SHORT[one.said]
    if not one.right:
        return f"[{letter}]"
    return f".{letter} " if one.truth.reason else f" {letter} "


def _heads(columns: Sequence[str], wide: int) -> Iterable[str]:
    """Each check's number above its column, and the list of numbers before."""
    numbers = [f"{number:>3}" for number in range(1, len(columns) + 1)]
    for start in range(0, len(columns), 5):
        yield "  ".join(
            f"{number + 1:>2} {columns[number]:<22}" for number in range(start, min(start + 5, len(columns)))
        )
    yield " " * wide + " " + "".join(f"{one.strip():^3}" for one in numbers)

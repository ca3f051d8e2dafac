"""Knows into which files the parts of a deploy by hand go, and which of them comes before and after which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.database.deployment.parts import Part


@dataclass(frozen=True, slots=True)
class File:
    """One file: a part, or None between two that stand alone, which it notes. number: counted from 1, `of` so many.

    left: the part that stands alone in the file before it; coming: the one in the file after it.
    """

    number: int
    of: int
    part: Part | None
    left: Part | None
    coming: Part | None

    @property
    def unchanged(self) -> str:
        """What is true of the database where this file stops."""
        if self.number == 1:
            return "nothing was changed"
        return "nothing was changed by this file, and what was run before stays in; put it right, then run it again"


def files_of(parts: Sequence[Part]) -> list[File]:
    """A file for each part, and one between two that stand alone."""
    slots: list[Part | None] = []
    for part in parts:
        if part.apart and slots and slots[-1] is not None and slots[-1].apart:
            slots.append(None)
        slots.append(part)

    def lone(place: int) -> Part | None:
        part = slots[place] if 0 <= place < len(slots) else None
        return part if part is not None and part.apart else None

    return [File(place + 1, len(slots), part, lone(place - 1), lone(place + 1)) for place, part in enumerate(slots)]

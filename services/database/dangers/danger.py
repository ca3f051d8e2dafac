"""Knows what a danger is: one effect of a script that production would suffer from, and the statement that has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

DangerClass = Literal["loss", "blocking", "security"]


@dataclass(frozen=True, slots=True)
class Danger:
    """One danger, by effect. `line` is where its statement ends, None where no single statement did it."""

    danger_class: DangerClass
    object: str
    detail: str
    file: str | None
    line: int | None

    def to_json(self) -> dict[str, Any]:
        return {
            "class": self.danger_class,
            "object": self.object,
            "detail": self.detail,
            "line": self.line,
            "file": self.file,
        }

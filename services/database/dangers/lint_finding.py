"""Knows the shape of one finding of the linter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding: where (line from 1), which rule, what is wrong, what to write instead."""

    file: str
    line: int
    rule: str
    message: str
    fix: str

    def to_json(self) -> dict[str, str | int]:
        return {"file": self.file, "line": self.line, "rule": self.rule, "message": self.message, "fix": self.fix}

"""Knows which statements depend on rows that the shadow does not have, or has only masked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.database.rehearsal.runs import Run
from services.database.rehearsal.shadow import Shadow

_PART_OF_MAIL = re.compile(r"'[^']*(?:%[^']*@|@[^']*%)[^']*'")
_CHECKED_BEFORE_ROWS = ("42", "3F", "0A", "2B", "25", "2D")
"""SQLSTATE classes of what the server refuses from the catalog alone, before it looks at a row."""


@dataclass(frozen=True, slots=True)
class RowsNeeded:
    """unknown: sentences on what depends on rows not copied. doubtful: indexes of failing statements that may as well
    succeed where the rows are."""

    unknown: tuple[str, ...]
    doubtful: frozenset[int]


def rows_needed(copy: Shadow, first: Run, going_on: Run | None) -> RowsNeeded:
    """What the first run, and the one that went on after its failure, needed rows for."""
    reasons = _missing(copy, first) + _masked(copy, first)
    doubtful = set()
    if going_on is not None and going_on.failures:
        at, failure = going_on.failures[0]
        needs = going_on.looked_at.get(at, frozenset()) & copy.rows.incomplete if at is not None else frozenset()
        if at is not None and needs and not (failure.sqlstate or "").startswith(_CHECKED_BEFORE_ROWS):
            doubtful.add(at)
            reasons.append(
                f"{failure.file}:{failure.line}: on the shadow, which lacks rows of {', '.join(sorted(needs))},"
                f" it fails with {failure.sqlstate}; with all rows it may not"
            )
    return RowsNeeded(tuple(dict.fromkeys(reasons)), frozenset(doubtful))


def _missing(copy: Shadow, first: Run) -> list[str]:
    """Statements that looked at, or wrote to, a table whose rows the shadow does not have."""
    reasons = []
    for statement, done in first.measured:
        for effect in done.effects:
            looked = effect.scans or effect.rows_scanned or effect.inserted or effect.updated or effect.deleted
            if effect.relation in copy.rows.incomplete and (looked or effect.rewritten):
                reasons.append(
                    f"{statement.file}:{statement.line}: it depends on rows of {effect.relation},"
                    f" which were not all copied (rows: {copy.policy})"
                )
    return reasons


def _masked(copy: Shadow, first: Run) -> list[str]:
    """Statements that search rows for a part of an e-mail: those were replaced on the shadow."""
    if not copy.rows.rows:
        return []
    return [
        f"{statement.file}:{statement.line}: it looks for parts of e-mails, which were replaced on the shadow"
        for statement, done in first.measured
        if _PART_OF_MAIL.search(statement.sql) and any(effect.scans for effect in done.effects)
    ]

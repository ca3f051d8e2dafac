"""Knows which statements depend on rows that the shadow does not have, or has only masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.database.connect import connect
from services.database.failure_classes import Failure
from services.database.rehearsal.masked_reads import looked_inside, replaced_among
from services.database.rehearsal.runs import Run
from services.database.rehearsal.shadow import Shadow
from services.database.script import Statement

_CHECKED_BEFORE_ROWS = ("42", "3F", "0A", "2B", "25", "2D")
"""SQLSTATE classes of what the server refuses from the catalog alone, before it looks at a row."""


@dataclass(frozen=True, slots=True)
class RowsNeeded:
    """unknown: sentences on what depends on rows not copied. doubtful: indexes of failing statements that may as well
    succeed where the rows are."""

    unknown: tuple[str, ...]
    doubtful: frozenset[int]


def rows_needed(copy: Shadow, statements: Sequence[Statement], first: Run, going_on: Run | None) -> RowsNeeded:
    """What the first run, and the one that went on after its failure, needed rows for."""
    inside = _masked(copy, statements, _looked_at(first, going_on))
    doubtful = set()
    at, failure = going_on.failures[0] if going_on is not None and going_on.failures else (None, None)
    if at is not None:
        inside = {index: reason for index, reason in inside.items() if index <= at}
    reasons = _missing(copy, first) + list(inside.values())
    if at is not None and failure is not None and inside and not _from_catalog(failure):
        doubtful.add(at)
        reasons.append(
            f"{failure.file}:{failure.line}: on the shadow it fails with {failure.sqlstate};"
            " with the true texts it may not"
        )
    if going_on is not None and at is not None and failure is not None:
        needs = going_on.looked_at.get(at, frozenset()) & copy.rows.incomplete
        if needs and not _from_catalog(failure):
            doubtful.add(at)
            reasons.append(
                f"{failure.file}:{failure.line}: on the shadow, which lacks rows of {', '.join(sorted(needs))},"
                f" it fails with {failure.sqlstate}; with all rows it may not"
            )
    return RowsNeeded(tuple(dict.fromkeys(reasons)), frozenset(doubtful))


def _from_catalog(failure: Failure) -> bool:
    return (failure.sqlstate or "").startswith(_CHECKED_BEFORE_ROWS)


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


def _masked(copy: Shadow, statements: Sequence[Statement], looked_at: Mapping[int, frozenset[str]]) -> dict[int, str]:
    """By index, a sentence on each statement that searches inside texts which were replaced on the shadow."""
    if not copy.rows.rows:
        return {}
    reasons = {}
    with connect(copy.as_superuser()) as conn:
        for index, relations in looked_at.items():
            statement = statements[index]
            if not relations or not (columns := looked_inside(statement)):
                continue
            if replaced := replaced_among(conn, relations, columns):
                reasons[index] = (
                    f"{statement.file}:{statement.line}: it looks inside {', '.join(replaced)},"
                    " where e-mails and texts were replaced on the shadow"
                )
    return reasons


def _looked_at(first: Run, going_on: Run | None) -> dict[int, frozenset[str]]:
    """By index, the relations of which each statement has read something."""
    found = {
        index: frozenset(effect.relation for effect in done.effects if effect.scans or effect.rows_scanned)
        for index, (_, done) in enumerate(first.measured)
    }
    return {**found, **(going_on.looked_at if going_on is not None else {})}

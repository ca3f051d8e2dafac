"""Knows which statements depend on rows that the shadow does not have, or has only masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.database.connect import connect
from services.database.execution import Cancelled, never
from services.database.failure_classes import Failure
from services.database.rehearsal.masked_reads import builds_address, looked_inside, replaced_among, words_of
from services.database.rehearsal.result import ProbeAnswer
from services.database.rehearsal.row_answers import Asking, Decided
from services.database.rehearsal.row_changes import WRITING, Changed, wrote
from services.database.rehearsal.row_probes import Probe, probes_of
from services.database.rehearsal.runs import Run
from services.database.rehearsal.shadow import Shadow
from services.database.rehearsal.table_facts import read_tables
from services.database.script import Statement
from services.verdict import Verdict

_CHECKED_BEFORE_ROWS = ("42", "3F", "0A", "2B", "25", "2D")
"""SQLSTATE classes of what the server refuses from the catalog alone, before it looks at a row."""

_NEVER_OF_MASK = re.compile(
    r"for type (?:uuid|smallint|integer|bigint|numeric|real|double precision|boolean|oid)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class RowsNeeded:
    """unknown: sentences on what depends on rows not copied. doubtful: indexes of failing statements that may as well
    succeed where the rows are. probes: what the target's rows were asked. refused: the first statement that, by them,
    will fail on the target, and how."""

    unknown: tuple[str, ...]
    doubtful: frozenset[int]
    probes: tuple[ProbeAnswer, ...] = ()
    refused: tuple[int, Failure] | None = None


def rows_needed(
    copy: Shadow, statements: Sequence[Statement], first: Run, going_on: Run | None, cancelled: Cancelled = never
) -> RowsNeeded:
    """What the first run, and the one that went on after its failure, needed rows for."""
    inside = _masked(copy, statements, _looked_at(first, going_on))
    doubtful = set()
    at, failure = going_on.failures[0] if going_on is not None and going_on.failures else (None, None)
    if at is not None and failure is not None and going_on is not None and _may_be_of_mask(failure):
        inside = {**_masked(copy, statements, {at: going_on.looked_at.get(at, frozenset())}, words_of), **inside}
    inside = {**_masked(copy, statements, _written(first), builds_address), **inside}
    if at is not None:
        inside = {index: reason for index, reason in inside.items() if index <= at}
    lacking = _missing(copy, first)
    decided = _decide(copy, statements, first, lacking, cancelled)
    refused = next(((index, one.failure) for index, one in sorted(decided.items()) if one.failure), None)
    if at is not None and failure is not None and not from_catalog(failure):
        inside |= _doubt(copy, failure, at, lacking, going_on, bool(inside))
        doubtful = {at} & set(inside)
    open_questions = {
        index: reason
        for index, reason in lacking.items()
        if index not in decided or decided[index].verdict is Verdict.UNKNOWN
    }
    if refused is not None:
        # What comes after a statement that will fail never runs.
        open_questions = {index: one for index, one in open_questions.items() if index < refused[0]}
        inside = {index: one for index, one in inside.items() if index < refused[0]}
    reasons = [*open_questions.values(), *inside.values()]
    answers = tuple(answer for _, one in sorted(decided.items()) for answer in one.answers)
    return RowsNeeded(tuple(dict.fromkeys(reasons)), frozenset(doubtful), answers, refused)


def _doubt(
    copy: Shadow, failure: Failure, at: int, lacking: Mapping[int, str], going_on: Run | None, inside: bool
) -> dict[int, str]:
    """A sentence on the failing statement, where it looked at, or comes after, what the shadow holds otherwise."""
    place = f"{failure.file}:{failure.line}: on the shadow it fails with {failure.sqlstate}"
    looked = going_on.looked_at.get(at, frozenset()) & copy.rows.incomplete if going_on is not None else frozenset()
    if looked or any(index < at for index in lacking):
        which = f" of {', '.join(sorted(looked))}" if looked else ""
        return {at: f"{place}, which lacks rows{which}; with all of them it may not"}
    return {at: f"{place}; with the true texts it may not"} if inside else {}


def _decide(
    copy: Shadow, statements: Sequence[Statement], first: Run, lacking: Mapping[int, str], cancelled: Cancelled
) -> dict[int, Decided]:
    """What the target's rows decide, by index of the statements that need rows which the shadow lacks."""
    if not lacking or not copy.url:
        return {}
    with connect(copy.url_of(copy.untouched)) as conn:
        tables = read_tables(conn)
    found: dict[int, Decided] = {}
    changed = Changed(tables)
    with Asking(copy.url, cancelled=cancelled) as asking:
        for index, (_, done) in enumerate(first.measured):
            statement = statements[index]
            if index in lacking:
                probes = probes_of(statement, tables)
                if probes is not None and not any(_stale(one, changed) for one in probes):
                    found[index] = asking.decide(statement, probes)
            changed.add(statement, done)
    return found


def _stale(probe: Probe, changed: Changed) -> bool:
    """True where an earlier statement may have changed what the question is about."""
    return any(changed.may_hold(relation, columns) for relation, columns in probe.columns.items())


def from_catalog(failure: Failure) -> bool:
    """True for what the server refuses whatever any row holds."""
    return (failure.sqlstate or "").startswith(_CHECKED_BEFORE_ROWS)


def _may_be_of_mask(failure: Failure) -> bool:
    """True where a value could not be read as what it should be: a replaced text has another inside, not another length
    or amount. It is an address or has blanks where the true one is or has, and neither is a number or a UUID."""
    state = failure.sqlstate or ""
    if state == "22P02" and _NEVER_OF_MASK.search(failure.message):
        return False
    return state.startswith("22") and state not in ("22001", "22003", "22012")


def _written(first: Run) -> dict[int, frozenset[str]]:
    """By index, the relations that each statement has written to."""
    return {
        index: frozenset(effect.relation for effect in done.effects if effect.lock in WRITING or wrote(effect))
        for index, (_, done) in enumerate(first.measured)
    }


def _missing(copy: Shadow, first: Run) -> dict[int, str]:
    """By index, a sentence on each statement that looked at, or wrote to, a table whose rows the shadow lacks."""
    reasons = {}
    for index, (statement, done) in enumerate(first.measured):
        needed = [
            effect.relation
            for effect in done.effects
            if effect.relation in copy.rows.incomplete
            and (effect.scans or effect.rows_scanned or effect.rewritten or effect.lock in WRITING or wrote(effect))
        ]
        if needed:
            reasons[index] = (
                f"{statement.file}:{statement.line}: it depends on rows of {', '.join(needed)},"
                f" which were not all copied (rows: {copy.policy})"
            )
    return reasons


def _masked(
    copy: Shadow,
    statements: Sequence[Statement],
    looked_at: Mapping[int, frozenset[str]],
    columns_of: Callable[[Statement], frozenset[str]] = looked_inside,
) -> dict[int, str]:
    """By index, a sentence on each statement that searches inside texts which were replaced on the shadow."""
    if not copy.rows.rows:
        return {}
    reasons = {}
    with connect(copy.as_superuser()) as conn:
        for index, relations in looked_at.items():
            statement = statements[index]
            if not relations or not (columns := columns_of(statement)):
                continue
            if replaced := replaced_among(conn, relations, columns):
                does = "builds addresses for" if columns_of is builds_address else "looks inside"
                reasons[index] = (
                    f"{statement.file}:{statement.line}: it {does} {', '.join(replaced)},"
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

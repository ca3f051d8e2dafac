"""Knows which statements make others wait: a strong lock while rows are read, written or copied, also one held on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.database.dangers.danger import Danger
from services.database.dangers.trail import Step
from services.database.rehearsal.measure import Effect, blocks_writers

HELD_ROWS = 10
"""Rows that later statements must read or change before a lock that they did not need counts as held too long."""
MANY_NEW_ROWS = 1000
"""Rows put into tables below this are seeds: they do not grow with production."""
MANY_LOOKUPS = 100
"""Entries of indexes read by one statement below this are lookups of single rows; from here on they are a scan."""
LONG_MS = 500
"""A statement that takes longer on the shadow is long work, whatever it does (waiting, computing)."""

_STRONGEST = "AccessExclusiveLock"
_WRITES_ROWS = ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "select_stmt")


RowsOf = Callable[[str], int]
"""How many rows a table had before the script, where the shadow has them."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large tables ("schema.table") are. on_target: rows there, for tables whose rows the shadow lacks."""

    on_target: Mapping[str, int]
    before: RowsOf


def blocking(steps: Sequence[Step], sizes: Sizes) -> list[Danger]:
    """Statements over which writers, or readers too, have to wait."""
    direct = list(_direct(steps, sizes))
    seen = {danger.object for danger in direct}
    return direct + [danger for danger in _held_on(steps, sizes) if danger.object not in seen]


def _direct(steps: Sequence[Step], sizes: Sizes) -> Iterator[Danger]:
    """A table is worked on while its own lock stops others."""
    for step in steps:
        for effect in step.effects.effects:
            mode = _STRONGEST if _rewritten_apart(step, effect) else effect.held
            if effect.kind not in ("r", "p", "m") or effect.dropped or not _stops(effect.kind, mode):
                continue
            rows, counted = _own_work(step, effect, sizes)
            if rows >= (HELD_ROWS if _only_rows(step, effect) else 1):
                yield _danger(step, effect.relation, str(mode), _work(effect, rows, counted=counted))


def _rewritten_apart(step: Step, effect: Effect) -> bool:
    """VACUUM FULL and their like: their lock is gone with their transaction, the new file is not."""
    return step.apart and effect.rewritten and effect.held is None


def _own_work(step: Step, effect: Effect, sizes: Sizes) -> tuple[int, bool]:
    """Rows that the statement goes through in the table itself, and whether they were counted."""
    rows = effect.updated + effect.deleted
    if effect.rewritten:
        rows += _rewritten_rows(effect, sizes.before(effect.relation))
    else:
        rows += effect.rows_scanned + (effect.by_index if effect.by_index >= MANY_LOOKUPS else 0)
    rows += effect.inserted if effect.inserted >= MANY_NEW_ROWS else 0
    goes_through = effect.scans > 0 or _rewritten_apart(step, effect)
    if goes_through and sizes.on_target.get(effect.relation, 0) > rows:
        return sizes.on_target[effect.relation], False
    if _rewritten_apart(step, effect):
        return sizes.before(effect.relation), True  # its counters ended with its own transaction
    return rows, True


def _rewritten_rows(effect: Effect, before: int) -> int:
    """The rows of a table that is rewritten: each of its indexes is built anew, which reads all of them once more."""
    in_a_scan = effect.rows_scanned // max(effect.scans, 1)
    # A table may have grown in the script, and of a scan that workers share we count our own part only.
    return max(effect.by_index, min(effect.rows_scanned, max(in_a_scan, before)))


def _only_rows(step: Step, effect: Effect) -> bool:
    """The statement only writes or reads rows; the lock is an earlier statement's."""
    return step.statement.kind in _WRITES_ROWS or (step.statement.kind == "do_stmt" and not blocks_writers(effect.lock))


def _work(effect: Effect, rows: int, *, counted: bool) -> str:
    amount = f"{rows} rows" if counted else f"about {rows} rows (the target's own estimate)"
    verb = "rewrites its" if effect.rewritten else "writes" if effect.inserted >= MANY_NEW_ROWS else "reads"
    return f"while the statement {verb} {amount}"


def _held_on(steps: Sequence[Step], sizes: Sizes) -> Iterator[Danger]:
    """A lock is kept to COMMIT, so what comes after it makes others wait as well, whatever table it works on."""
    held: dict[str, tuple[str, Step, int]] = {}
    told: set[str] = set()
    for step in steps:
        if step.apart:
            held.clear()
            continue
        for effect in step.effects.effects:
            if effect.kind in ("r", "p", "m", "v") and _stops(effect.kind, effect.held):
                _, since, rows = held.get(effect.relation, ("", step, 0))
                held[effect.relation] = (str(effect.held), since, rows)
        for relation, (mode, since, rows) in list(held.items()):
            total = rows + _work_elsewhere(step, relation, sizes)
            held[relation] = (mode, since, total)
            if relation not in told and (total or (step.ms >= LONG_MS and step is not since)):
                told.add(relation)
                yield _danger(step, relation, mode, _since(since, step, total))


def _stops(kind: str, mode: str | None) -> bool:
    """Whether somebody waits: writers of a table, readers of a view, which nobody writes to."""
    return mode == _STRONGEST if kind in ("v", "m") else blocks_writers(mode)


def _work_elsewhere(step: Step, relation: str, sizes: Sizes) -> int:
    """Rows worked on in other tables. Lookups of a few rows and small seeds do not grow, and so do not count."""
    rows = 0
    for effect in step.effects.effects:
        if effect.relation == relation:
            continue
        work = _own_work(step, effect, sizes)[0]
        rows += work if work >= HELD_ROWS else 0
    old = sum(
        one.rows_scanned + one.updated + one.deleted + one.inserted + one.by_index for one in step.effects.effects
    )
    new = step.effects.rows_scanned + step.effects.rows_written - old
    return rows + (new if new >= MANY_NEW_ROWS else 0)


def _since(since: Step, step: Step, rows: int) -> str:
    work = f"{rows} rows are worked on" if rows else f"a statement of {step.ms / 1000:.1f} s runs"
    if since is step:
        return f"while {work} in the same statement"
    return f"from line {since.statement.line} of {since.statement.file} to COMMIT, while {work}"


def _danger(step: Step, relation: str, mode: str, work: str) -> Danger:
    who = "Readers and writers wait" if mode == _STRONGEST else "Writers wait"
    return Danger("blocking", relation, f"{who} ({mode}) {work}.", step.statement.file, step.statement.line)

"""Who waits for what: a lock with work under it, a lock held over the work of others, and what does not grow."""

from __future__ import annotations

import pytest

from services.database.dangers.blocking import Sizes, blocking
from services.database.dangers.possible_losses import possible_losses
from services.database.dangers.trail import Step
from services.database.rehearsal.measure import Effect, StatementEffects
from services.database.script import Statement

STRONG, SHARE, ROWS = "AccessExclusiveLock", "ShareLock", "RowExclusiveLock"


def effect(relation: str = "public.t", **more: object) -> Effect:
    known: dict[str, object] = {
        "relation": relation, "kind": "r", "lock": None, "held": None, "scans": 0, "rows_scanned": 0, "inserted": 0,
        "updated": 0, "deleted": 0, "rewritten": False, "dropped": False, "dropped_columns": 0,
    }  # fmt: skip
    return Effect(**{**known, **more})  # type: ignore[arg-type]


def step(
    line: int, *effects: Effect, kind: str = "alter_table_stmt", ms: float = 1, apart: bool = False, new_rows: int = 0
) -> Step:
    read = sum(one.rows_scanned for one in effects)
    wrote = sum(one.inserted + one.updated + one.deleted for one in effects)
    statement = Statement("a.sql", line, line, "", kind)
    return Step(statement, StatementEffects(effects, read, wrote + new_rows), ms, frozenset(), apart)


def told(*steps: Step, on_target: dict[str, int] | None = None) -> list[tuple[str, int | None]]:
    found = blocking(steps, Sizes(on_target or {}, lambda name: 50))
    return [(danger.object, danger.line) for danger in found]


def lock(relation: str = "public.t", mode: str = STRONG, **more: object) -> Effect:
    return effect(relation, lock=mode, held=mode, **more)


SCANS_INDEX = effect("public.other", by_index=300, scans=1)
READS = effect("public.other", rows_scanned=300, scans=1)


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([step(1, lock(rows_scanned=1, scans=1))], [("public.t", 1)]),
        ([step(1, lock(mode=SHARE, rows_scanned=5, scans=1))], [("public.t", 1)]),
        ([step(1, lock(mode=ROWS, rows_scanned=500, scans=1))], []),
        ([step(1, lock(mode="ShareUpdateExclusiveLock", rows_scanned=500, scans=1))], []),
        ([step(1, lock())], []),
        ([step(1, lock(rewritten=True))], []),
        ([step(1, lock(rewritten=True, by_index=300))], [("public.t", 1)]),
        ([step(1, effect(rewritten=True), apart=True)], [("public.t", 1)]),
        ([step(1, lock(dropped=True))], []),
        ([step(1, lock()), step(2, READS, kind="select_stmt")], [("public.t", 2)]),
        ([step(1, READS, kind="select_stmt"), step(2, lock())], []),
        ([step(1, lock()), step(2, effect("public.other", rows_scanned=9, scans=1), kind="select_stmt")], []),
        ([step(1, lock()), step(2, effect("public.other", by_index=90, scans=9), kind="select_stmt")], []),
        ([step(1, lock()), step(2, SCANS_INDEX, kind="select_stmt")], [("public.t", 2)]),
        ([step(1, lock()), step(2, effect(held=STRONG, by_index=300, scans=1), kind="select_stmt")], [("public.t", 2)]),
        ([step(1, lock()), step(2, effect(held=STRONG, inserted=2000), kind="insert_stmt")], [("public.t", 2)]),
        ([step(1, lock()), step(2, effect(held=STRONG, inserted=20), kind="insert_stmt")], []),
        ([step(1, lock()), step(2, kind="insert_stmt", new_rows=30)], []),
        ([step(1, lock()), step(2, kind="insert_stmt", new_rows=5000)], [("public.t", 2)]),
        ([step(1, lock()), step(2, kind="select_stmt", ms=900)], [("public.t", 2)]),
        ([step(1, lock(), ms=900)], []),
        ([step(1, lock(kind="v", mode=SHARE)), step(2, READS, kind="select_stmt")], []),
        ([step(1, lock("public.v", kind="v")), step(2, READS, kind="select_stmt")], [("public.v", 2)]),
        ([step(1, lock(mode="ExclusiveLock", kind="m", rows_scanned=300))], []),
        ([step(1, lock(kind="m", rows_scanned=300, scans=1))], [("public.t", 1)]),
        ([step(1, lock()), step(2, apart=True), step(3, READS, kind="select_stmt")], []),
        ([step(1, lock("public.child", rows_scanned=300, scans=1), lock("public.parent"))],
         [("public.child", 1), ("public.parent", 1)]),
    ],
)  # fmt: skip
def test_who_waits(steps: list[Step], found: list[tuple[str, int]]) -> None:
    assert told(*steps) == found


def test_readers_are_named_where_they_wait_too() -> None:
    found = blocking([step(1, lock(rows_scanned=3, scans=1)), step(2, lock("public.u", SHARE, rows_scanned=3))],
                     Sizes({}, lambda name: 0))  # fmt: skip
    assert [danger.detail.partition(" (")[0] for danger in found] == ["Readers and writers wait", "Writers wait"]


def test_a_lock_held_on_names_where_it_was_taken() -> None:
    (found,) = blocking([step(4, lock()), step(9, READS, kind="select_stmt")], Sizes({}, lambda name: 0))
    assert "from line 4 of a.sql to COMMIT, while 300 rows are worked on" in found.detail


def test_rows_that_the_shadow_lacks_are_those_of_the_target() -> None:
    empty = step(1, lock(scans=1))
    assert told(empty) == []
    assert told(empty, on_target={"public.t": 1_000_000}) == [("public.t", 1)]
    (found,) = blocking([empty], Sizes({"public.t": 1_000_000}, lambda name: 0))
    assert "about 1000000 rows (the target's own estimate)" in found.detail
    assert told(step(1, lock()), on_target={"public.t": 1_000_000}) == []


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (step(1, lock(dropped=True)), "The table goes"),
        (step(1, lock(dropped_columns=1)), "A column goes"),
        (step(1, lock(rewritten=True), kind="truncate_stmt"), "emptied"),
        (step(1, lock(mode=ROWS, scans=1), kind="delete_stmt"), "updated or deleted"),
        (step(1, lock(mode=ROWS, inserted=3), kind="insert_stmt"), ""),
        (step(1, lock(mode="AccessShareLock", scans=1), kind="select_stmt"), ""),
    ],
)
def test_what_may_be_lost_of_rows_that_are_not_here(done: Step, words: str) -> None:
    found = possible_losses([done], {"public.t": 40}, {}, {})
    assert [words in danger.detail and "about 40" in danger.detail for danger in found] == ([True] if words else [])
    assert possible_losses([done], {}, {}, {}) == []

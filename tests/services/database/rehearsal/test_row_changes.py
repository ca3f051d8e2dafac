"""What earlier statements of a script may have changed is no longer told by the target's rows."""

from __future__ import annotations

import pytest

from services.database.rehearsal.measure import Effect, StatementEffects
from services.database.rehearsal.row_changes import Changed
from services.database.script import Script, split


def effect(lock: str | None, scans: int = 1) -> Effect:
    return Effect("public.t", "r", lock, lock, scans, 0, 0, 0, 0, rewritten=False, dropped=False, dropped_columns=0)


FIRST = ("UPDATE t SET a = 1 WHERE id = 1", effect("RowExclusiveLock"))


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        ([FIRST], {"a"}),
        ([FIRST, ("UPDATE t SET b = 1 WHERE b IS NULL", effect(None))], {"a", "b"}),
        ([FIRST, ("UPDATE public.t SET b = 1 WHERE id = 1", None)], {"a", "b"}),
        ([FIRST, ("SELECT count(*) FROM other", None)], {"a"}),
        ([FIRST, ("DO 'BEGIN UPDATE t SET b = 1; END'", None)], {"a", "b", "c"}),
        ([FIRST, ("SELECT mend()", effect(None))], {"a", "b", "c"}),
        ([("DELETE FROM t", effect("RowExclusiveLock"))], {"a", "b", "c"}),
        ([("ALTER TABLE t ALTER a TYPE text USING 'x', ADD b int", effect("AccessExclusiveLock"))], {"a", "b"}),
        ([("ALTER TABLE t ALTER a SET DEFAULT 1", effect("AccessExclusiveLock", 0))], set()),
        ([("ALTER TABLE t RENAME a TO b", effect("AccessExclusiveLock", 0))], {"a", "b"}),
        ([("ALTER TABLE t RENAME TO t_old", effect("AccessExclusiveLock", 0))], {"a", "b", "c"}),
        ([("ALTER TABLE u RENAME TO t", None)], {"a", "b", "c"}),
    ],
)
def test_columns_that_may_hold_other_values(after: list[tuple[str, Effect | None]], changed: set[str]):
    known = Changed(["public.t", "t", "public.u"])
    for sql, one in after:
        known.add(split(Script("a.sql", sql))[0], StatementEffects((one,) if one else (), 0, 0))
    assert {name for name in "abc" if known.may_hold("public.t", frozenset(name))} == changed

"""Calls that several functions fit are found where the change made them so."""

from __future__ import annotations

from collections.abc import Callable

from services.database.inspection.inspect import Inspection
from tests.services.database.inspection.change import failures

MADE = "CREATE FUNCTION public.{} RETURNS int LANGUAGE sql AS 'SELECT 1';"
BEFORE = "".join(
    MADE.format(head) for head in ("one(a int)", "two(a int)", "old(a int)", "old(a int, b int DEFAULT 1)")
)
CHANGE = "".join(
    MADE.format(head)
    for head in (
        "one(a int, b text DEFAULT '')",
        "two(a bigint)",
        "three(a int)",
        "three(a int, b int)",
        "four(a text)",
        "four(a int)",
        "old(a int, b int, c int)",
    )
)


def test_only_new_ambiguity_is_told(changed_once: Callable[..., Inspection]):
    found = changed_once(CHANGE, BEFORE)
    assert failures(found, "overload") == {("public.one", "42725"), ("public.two", "42725")}
    assert found.old["overload"] == 1
    assert "public.one(integer)" in next(one.message for one in found.failed if one.object == "public.one")

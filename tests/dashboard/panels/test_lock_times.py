"""How long locks are held: from the statement that takes them to COMMIT, in the order in which statements run."""

from __future__ import annotations

from dashboard.panels.lock_times import held_locks

WEAK = {"locks": {"public.a": "RowExclusiveLock"}, "ms": 5, "file": "a.sql", "line": 1}
SHARE = {"locks": {"public.a": "ShareLock"}, "ms": 10, "file": "a.sql", "line": 2}
STRONG = {"locks": {"public.a": "AccessExclusiveLock", "public.b": "AccessExclusiveLock"}, "ms": 20, "line": 3}


def test_a_lock_is_held_to_the_end_and_readers_wait_from_the_stronger_one_on() -> None:
    held, end = held_locks([WEAK, SHARE, STRONG], None)
    assert end == 35
    assert [(one.table, one.mode, one.begun, one.until, one.since) for one in held] == [
        ("public.a", "ShareLock", 5, 15, 5),
        ("public.a", "AccessExclusiveLock", 15, 35, 5),
        ("public.b", "AccessExclusiveLock", 15, 35, 15),
    ]


def test_the_order_of_the_deploy_counts_and_so_does_what_was_predicted() -> None:
    slow = {**SHARE, "predicted_ms": {"ms": 400, "low": 300, "high": 500}}
    held, end = held_locks([slow, WEAK], [1, 0])
    assert (held[0].begun, held[0].until, end) == (5, 405, 405)


def test_a_statement_outside_the_transaction_holds_its_lock_alone_and_ends_those_before() -> None:
    held, _ = held_locks([SHARE, {**SHARE, "line": 3}, SHARE], None, {("a.sql", 3)})
    assert [(one.begun, one.until) for one in held] == [(0, 10), (10, 20), (20, 30)]


def test_nobody_waits_for_weak_locks() -> None:
    assert held_locks([WEAK], None)[0] == []

"""How long locks are held: from the statement that takes them to COMMIT, in the order in which statements run."""

from __future__ import annotations

from dashboard.panels.lock_times import held_locks

WEAK = {"locks": {"public.a": "RowExclusiveLock"}, "ms": 5, "file": "a.sql", "line": 1}
SHARE = {"locks": {"public.a": "ShareLock"}, "ms": 10, "file": "a.sql", "line": 2}
STRONG = {"locks": {"public.a": "AccessExclusiveLock", "public.b": "AccessExclusiveLock"}, "ms": 20, "line": 3}


def test_a_lock_is_held_to_the_end_whatever_comes_later() -> None:
    held, end = held_locks([WEAK, SHARE, STRONG], None)
    assert end == 35
    assert [(table, mode, begun, until) for table, mode, begun, until, _ in held] == [
        ("public.a", "AccessExclusiveLock", 5, 35),
        ("public.b", "AccessExclusiveLock", 15, 35),
    ]


def test_the_order_of_the_deploy_counts_and_so_does_what_was_predicted() -> None:
    slow = {**SHARE, "predicted_ms": {"ms": 400, "low": 300, "high": 500}}
    held, end = held_locks([slow, WEAK], [1, 0])
    assert (held[0][2:4], end) == ((5, 405), 405)


def test_nobody_waits_for_weak_locks() -> None:
    assert held_locks([WEAK], None)[0] == []

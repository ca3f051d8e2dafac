"""Turns: one holder at a time, whoever asks at once; free again when it ends."""

from __future__ import annotations

import threading
from datetime import timedelta

from services.jobs.turns import take_turn, tell_of_turn, turn_of
from services.store.database import Store
from tests.services.conftest import NOON

SPAN = timedelta(seconds=20)
AFTER = NOON + SPAN


def test_a_turn_is_its_holders_until_it_ends(store: Store) -> None:
    assert take_turn(store, "watch", "a", NOON, SPAN)
    assert not take_turn(store, "watch", "b", NOON + SPAN / 2, SPAN)
    assert take_turn(store, "watch", "a", NOON + SPAN / 2, SPAN)
    assert not take_turn(store, "watch", "b", AFTER, SPAN)
    assert take_turn(store, "watch", "b", AFTER + SPAN, SPAN)
    assert take_turn(store, "other", "a", NOON, SPAN)


def test_once_in_a_span_means_once_for_its_holder_too(store: Store) -> None:
    assert take_turn(store, "beat", "a", NOON, SPAN, again=False)
    assert not take_turn(store, "beat", "a", NOON, SPAN, again=False)
    assert take_turn(store, "beat", "a", AFTER, SPAN, again=False)


def test_of_many_that_ask_at_once_one_has_it(store: Store) -> None:
    for number in range(5):
        took: list[str] = []
        together = threading.Barrier(4)

        def ask(name: str, number: int = number, took: list[str] = took, gate: threading.Barrier = together) -> None:
            gate.wait()
            if take_turn(store, f"watch {number}", name, NOON, SPAN):
                took.append(name)

        threads = [threading.Thread(target=ask, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(took) == 1


def test_what_came_of_it_is_kept(store: Store) -> None:
    take_turn(store, "beat", "a", NOON, SPAN)
    tell_of_turn(store, "beat", {"answered": 1})
    tell_of_turn(store, "beat", {"failed": 2})
    found = turn_of(store, "beat")
    assert found is not None
    assert (found.holder, found.until, found.told) == ("a", AFTER, {"answered": 1, "failed": 2})
    assert turn_of(store, "nothing") is None

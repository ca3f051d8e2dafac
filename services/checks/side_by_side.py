"""Several questions of one check at the same time, all within the check's own deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TypeVar

from services.clients.deadline import remaining
from services.errors import Unavailable

T = TypeVar("T")
WAIT_S = 30.0
SETTLE_S = 0.5
AT_ONCE = 6


def side_by_side(calls: Sequence[Callable[[], T]], *, at_once: int = AT_ONCE) -> list[T]:
    """What each call returned, in order; made in threads that know the deadline of this one, `at_once` at a time.

    All have ended when it returns. Raises what the first call that failed has raised, in the order of the calls, and
    Unavailable where one outlives the deadline.
    """
    returned: dict[int, T] = {}
    raised: dict[int, Exception] = {}
    room = threading.BoundedSemaphore(at_once)

    def make(number: int, call: Callable[[], T]) -> None:
        with room:
            try:
                returned[number] = call()
            except Exception as error:
                raised[number] = error

    threads = [
        threading.Thread(target=copy_context().run, args=(make, number, call), daemon=True)
        for number, call in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(remaining(WAIT_S) + SETTLE_S)
        if thread.is_alive():
            raise Unavailable("Not all that was asked at once was answered in time.")
    if raised:
        raise raised[min(raised)]
    return [returned[number] for number in range(len(threads))]

"""How long the work in hand may still take: a deadline that every client call below it respects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float | None] = ContextVar("deadline_ends", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """All calls made inside end within `seconds`, or sooner where an outer deadline is nearer."""
    outer = _ends.get()
    inner = time.monotonic() + seconds
    token = _ends.set(inner if outer is None else min(inner, outer))
    try:
        yield
    finally:
        _ends.reset(token)


def remaining(at_most: float) -> float:
    """Seconds left for one call: `at_most`, or what the deadline around it leaves; never below 0."""
    ends = _ends.get()
    return at_most if ends is None else max(0.0, min(at_most, ends - time.monotonic()))

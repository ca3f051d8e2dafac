"""Calls made at the same time, each within the deadline of the check that makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
AT_ONCE = 12


def side_by_side(calls: Sequence[Callable[[], T]], *, at_once: int = AT_ONCE) -> list[T]:
    """What each call returned, in order. Raises what the first of them raised, when all have ended."""
    if not calls:
        return []
    with ThreadPoolExecutor(max_workers=min(at_once, len(calls))) as pool:
        return [one.result() for one in [pool.submit(copy_context().run, call) for call in calls]]

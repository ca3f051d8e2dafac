"""So many calls in each stretch of the clock; others may take their share of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime


class RateLimit:
    """allowed: calls in each stretch of `per_s` seconds; taken: of these, what others use up, by an id."""

    def __init__(self, clock: Callable[[], datetime], allowed: int, per_s: int = 3600) -> None:
        self.allowed = allowed
        self.taken: dict[str, int] = {}
        self._clock = clock
        self._per_s = per_s
        self._stretch = -1
        self._used = 0

    @property
    def left(self) -> int:
        return max(0, self.allowed - self._used - sum(self.taken.values()))

    @property
    def ends_at(self) -> int:
        """When the stretch ends and the next begins, in seconds since 1970."""
        return (self._stretch + 1) * self._per_s

    @property
    def ends_in_s(self) -> int:
        return self.ends_at - int(self._clock().timestamp())

    def leave(self, name: str, calls: int) -> None:
        """Somebody else takes all but so many calls of every stretch; held under an id."""
        self._turn()
        self.taken.pop(name, None)
        self.taken[name] = max(0, self.left - calls)

    def take(self) -> bool:
        """Count one call where it may pass; whether it may."""
        self._turn()
        if self.left == 0:
            return False
        self._used += 1
        return True

    def _turn(self) -> None:
        """Begin to count anew where a stretch has begun."""
        stretch = int(self._clock().timestamp()) // self._per_s
        if stretch != self._stretch:
            self._stretch, self._used = stretch, 0

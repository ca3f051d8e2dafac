"""A limit of calls a minute, each person's own, kept in the process."""

from __future__ import annotations

import time
from collections import deque

from apps.pulsecheck.twin.contract import ApiError


class MinuteLimit:
    """So many calls a minute for each person."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: dict[str, deque[float]] = {}

    def count(self, user_id: str) -> None:
        """Raises ApiError 429 for one call too many."""
        now, calls = time.monotonic(), self._calls.setdefault(user_id, deque())
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= self._most:
            said = f"Rate limit exceeded: {self._most} per 1 minute"
            raise ApiError(429, said, {"error": said})
        calls.append(now)

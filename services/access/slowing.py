"""How often something may fail before it is made to wait: counted in memory, in this process only."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from services.errors import Refused

MOST_KEYS = 10_000
"""The oldest are forgotten beyond that, so that nobody fills the memory with made-up places."""


class Slowing:
    """most: failures of one key within `window` before the next try is refused."""

    def __init__(self, most: int = 10, window: timedelta = timedelta(minutes=1)) -> None:
        self._most = most
        self._window = window
        self._failures: OrderedDict[tuple[str, str], list[datetime]] = OrderedDict()
        self._guard = threading.Lock()

    def require_patience(self, key: tuple[str, str], now: datetime) -> None:
        """Raise Refused where this key has failed too often. key: target and address."""
        with self._guard:
            recent = self._recent(key, now)
        if len(recent) >= self._most:
            raise Refused(
                f"{self._most} sign-ins from your address failed within a minute.",
                "Nobody was signed in, and this try was not passed on.",
                "Wait a minute, then try again.",
            )

    def failed(self, key: tuple[str, str], now: datetime) -> None:
        """Note a failure."""
        with self._guard:
            self._failures[key] = [*self._recent(key, now), now][-self._most :]
            self._failures.move_to_end(key)
            while len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)

    def _recent(self, key: tuple[str, str], now: datetime) -> list[datetime]:
        return [at for at in self._failures.get(key, []) if now - at < self._window]

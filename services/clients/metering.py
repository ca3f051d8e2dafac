"""How many calls the work in hand has made, and where to, whichever of our clients made them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import urlsplit


class Meter:
    """Calls counted as they begin, retries of packages among them. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: Counter[str] = Counter()
        self._under_way = 0

    def calls(self, url: str | None = None) -> int:
        """How many there were to the origin of an address; None: to whomever."""
        return self._begun.total() if url is None else self._begun[_origin(url)]

    @property
    def quiet(self) -> bool:
        """Whether no call is under way now."""
        return self._under_way == 0

    @contextmanager
    def one(self, url: str) -> Iterator[None]:
        """Around one call."""
        with self._lock:
            self._begun[_origin(url)] += 1
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1


_meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """Calls made inside, in threads that know this one's context too, are counted by the meter it gives."""
    meter = Meter()
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


@contextmanager
def one_call(url: str) -> Iterator[None]:
    """Around one call of a client; counts it where somebody wants to know."""
    meter = _meter.get()
    if meter is None:
        yield
        return
    with meter.one(url):
        yield


def _origin(url: str) -> str:
    place = urlsplit(url)
    return f"{place.scheme}://{place.netloc}".lower()

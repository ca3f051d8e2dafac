"""Whom we have heard: the first call to an address goes ahead of the others, and one that hung is not asked again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx

from services.clients.deadline import remaining

FIRST_S = 6.0
"""What a first call may take; above the 5 s at which a slow answer is a finding, so that slow and silent stay apart."""
NEIGHBOUR_S = 2.0
"""What the first call to a place may take where another of the same origin hangs, or did, and none has answered."""
ENOUGH_S = 1.5
"""A first call that had less time than this proves nothing by its silence."""

_current: ContextVar[Contacts | None] = ContextVar("contacts", default=None)


class NotAskedAgain(httpx.ConnectTimeout):
    """A call that was not made, since the same place had given no answer a moment before."""


class Contacts:
    """What is known, within one run, of the places that were called. Safe to use from many threads.

    A place is an origin and the first part of the path, since one origin may stand for several services. Where two
    places of an origin were silent and none was heard, the whole origin counts as silent.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asking: dict[tuple[str, str], float] = {}
        self._heard: set[tuple[str, str]] = set()
        self._silent: set[tuple[str, str]] = set()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Calls made inside, by whatever client, go through these contacts."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def may_ask(self, origin: str, part: str) -> bool:
        """Whether this call is the first one there, which `settle` must follow; False where an answer was heard.

        Waits while somebody else makes the first call. Raises NotAskedAgain where it brought no answer.
        """
        place = (origin, part)
        until = time.monotonic() + remaining(FIRST_S + 1)
        with self._changed:
            while place not in self._heard:
                if self._is_silent(place):
                    raise NotAskedAgain(f"{origin} gave no answer a moment ago and was not asked again")
                if place not in self._asking:
                    self._asking[place] = time.monotonic()
                    return True
                if not self._changed.wait(until - time.monotonic()):
                    raise NotAskedAgain(f"{origin} has not answered the call before this one")
        return False

    def first_s(self, origin: str) -> float:
        """Seconds that a first call to a place of this origin may take."""
        with self._changed:
            since = time.monotonic() - NEIGHBOUR_S
            hanging = {place for place, began in self._asking.items() if began < since}
            hung = any(other == origin for other, _ in self._silent | hanging)
            return NEIGHBOUR_S if hung and not self._was_heard(origin) else FIRST_S

    def settle(self, origin: str, part: str, *, heard: bool | None) -> None:
        """What the first call came to; None: it proved nothing, and the next call is the first one."""
        place = (origin, part)
        with self._changed:
            self._asking.pop(place, None)
            if heard is not None:
                (self._heard if heard else self._silent).add(place)
            self._changed.notify_all()

    def _is_silent(self, place: tuple[str, str]) -> bool:
        if place in self._silent:
            return True
        origin = place[0]
        silent = sum(other == origin for other, _ in self._silent)
        return silent > 1 and not self._was_heard(origin)

    def _was_heard(self, origin: str) -> bool:
        return any(other == origin for other, _ in self._heard)


@contextmanager
def first_contact(origin: str, part: str, *silence: type[BaseException]) -> Iterator[float | None]:
    """Around one call: gives the seconds that a first call may take, None for any other or where nobody keeps count.

    silence: the errors that mean that no answer came in time. Raises NotAskedAgain instead of calling in vain.
    """
    contacts = _current.get()
    if contacts is None or not contacts.may_ask(origin, part):
        yield None
        return
    started = time.monotonic()
    heard: bool | None = True
    try:
        yield contacts.first_s(origin)
    except silence:
        heard = False if time.monotonic() - started >= ENOUGH_S else None
        raise
    finally:
        contacts.settle(origin, part, heard=heard)

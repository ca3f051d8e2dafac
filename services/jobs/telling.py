"""Sending notices beside the worker's other work: one at a time, in a thread of its own, since an address may hang."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from services.access.notices import is_due, send_due
from services.settings import Settings
from services.store.database import Store

log = structlog.get_logger("worker")

Turn = Callable[[Settings, Store, datetime], bool]


class Telling:
    """A turn of the worker's loop: begins to send what is due; sending itself keeps nobody waiting."""

    def __init__(self, send: Turn = lambda settings, store, now: send_due(store, settings, now)) -> None:
        self._send = send
        self._sending: threading.Thread | None = None

    def __call__(self, settings: Settings, store: Store, now: datetime, /) -> bool:
        if (self._sending is not None and self._sending.is_alive()) or not is_due(store, now):
            return False
        self._sending = threading.Thread(target=self._turn, args=(settings, store, now), name="telling", daemon=True)
        self._sending.start()
        return True

    def _turn(self, settings: Settings, store: Store, now: datetime) -> None:
        try:
            self._send(settings, store, now)
        except Exception:
            log.exception("a notice could not be dealt with; it is tried again in a minute")


def telling_first(telling: Turn, then: Turn) -> Turn:
    """Both as one turn; what fails in the second keeps nobody from being told."""

    def turn(settings: Settings, store: Store, now: datetime, /) -> bool:
        told = telling(settings, store, now)
        return then(settings, store, now) or told

    return turn

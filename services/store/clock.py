"""What time it is for everybody who shares a store: the clock of the store's own machine, whatever ours says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

COMPARE_EVERY_S = 15.0
STEPPED_S = 0.5
"""When our wall clock and our stopwatch differ by so much since they were compared, the wall clock was set."""
QUICK_S = 1.0
"""An answer that took longer says too little about when it was given."""
SAME_S = 0.05
"""A difference this small is the way of the answer, not of the clocks: following it would make time jump back."""


def local_now() -> datetime:
    """This machine's own clock."""
    return datetime.now(UTC)


class StoreClock:
    """Call it for the time. Leases, days and ages are compared between machines, so all of them read one clock.

    SQLite is on this machine, and so is its clock. On Postgres the difference to the server's clock is looked up every
    few seconds; while the server is gone, the last one known is kept.
    """

    def __init__(self, engine: Engine, local: Callable[[], datetime] = local_now) -> None:
        self._engine = engine
        self._local = local
        self._shared = engine.dialect.name == "postgresql"
        self._guard = threading.Lock()
        self._ahead = timedelta(0)
        self._compared: tuple[float, datetime] | None = None

    def __call__(self) -> datetime:
        if self._shared and self._is_due():
            self._compare()
        return self._local() + self._ahead

    @property
    def ahead_s(self) -> float:
        """Seconds by which the store's clock is ahead of ours, as last seen."""
        return self._ahead.total_seconds()

    def _is_due(self) -> bool:
        if self._compared is None:
            return True
        since = time.monotonic() - self._compared[0]
        stepped = abs((self._local() - self._compared[1]).total_seconds() - since)
        return since > COMPARE_EVERY_S or stepped > STEPPED_S

    def _compare(self) -> None:
        # One thread asks; the others go on with what is known, or wait where nothing is.
        if not self._guard.acquire(blocking=self._compared is None):
            return
        try:
            if self._is_due():
                found = self._ask()
                self._compared = (time.monotonic(), self._local())
                if found is not None and abs(found - self._ahead) > timedelta(seconds=SAME_S):
                    self._ahead = found
        finally:
            self._guard.release()

    def _ask(self) -> timedelta | None:
        try:
            with self._engine.connect() as connection:
                asked = self._local()
                theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
                answered = self._local()
        except SQLAlchemyError:
            return None
        took = answered - asked
        if took > timedelta(seconds=QUICK_S):
            return None
        return theirs.astimezone(UTC) - (asked + took / 2)

"""What our test accounts may spend on a target in one UTC day, and what they have: reserved before it is spent."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from services.clients.metering import Meter
from services.errors import Unavailable
from services.settings import ProbeCap, Target
from services.store.database import Store, StoreGone
from services.store.tables import probe_spending

CENTS_PLACES = 6
"""Cents are rounded to so many places, so that sums of them can be compared."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one purpose has spent on a target today; of_calls and of_cents are None where nothing limits it."""

    purpose: str
    calls: int
    of_calls: int | None
    cents: float
    of_cents: float | None
    free_at: datetime

    @property
    def used_up(self) -> bool:
        """Whether nothing more may be spent before `free_at`."""
        if self.of_calls is None or self.of_cents is None:
            return False
        return self.calls >= self.of_calls or (self.of_cents > 0 and self.cents >= self.of_cents)


class CapReached(Unavailable):
    """A check that writes test data was not started: the day's allowance of its purpose does not suffice."""


def cap_of(target: Target, purpose: str) -> ProbeCap | None:
    """The cap of a purpose: as set; on production the default where none is; else None, which is no limit."""
    named = target.probe_caps.get(purpose)
    return ProbeCap() if named is None and target.production else named


def day_of(now: datetime) -> str:
    """The UTC day that a time belongs to, as it stands in the store."""
    return now.astimezone(UTC).date().isoformat()


def free_at(now: datetime) -> datetime:
    """When the next UTC day begins."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside for one check, and for which day; what it did not use goes back by `settle`.

    app_url: calls elsewhere, such as those that remove test data again, are none of the test account's
    """

    purse: Purse
    app_url: str | None
    purpose: str
    day: str
    calls: int
    cents: float

    def settle(self, meter: Meter) -> None:
        """Keep what was spent: the calls to the app that were counted. What they cost is only known where there was
        none; and while calls are still under way, nothing is."""
        made = meter.calls(self.app_url)
        if meter.quiet and made != self.calls:
            self.purse.change(self, made - self.calls, 0.0 if made else -self.cents)


class Purse:
    """The caps of one target over the store that all workers and commands share."""

    def __init__(self, store: Store, target: Target) -> None:
        self._store = store
        self._target = target

    def reserve(self, purpose: str, calls: int, cents: float, now: datetime) -> Reservation | None:
        """Set aside what a check costs at most, in one statement that two workers cannot both win; None: no limit.

        Raises CapReached where the cap of the purpose does not leave as much today, Unavailable where the store
        cannot be asked: what is not counted is not spent.
        """
        cap = cap_of(self._target, purpose)
        if cap is None:
            return None
        cents = round(cents, CENTS_PLACES)
        held = Reservation(self, self._target.app_url, purpose, day_of(now), calls, cents)
        try:
            self._open_row(held)
            with self._store.write() as tx:
                taken: int = tx.execute(
                    update(probe_spending)
                    .where(*self._row(held))
                    .where(probe_spending.c.calls + calls <= cap.calls)
                    .where(probe_spending.c.cents + cents <= cap.cents + 10**-CENTS_PLACES / 2)
                    .values(calls=probe_spending.c.calls + calls, cents=probe_spending.c.cents + cents)
                ).rowcount
        except (SQLAlchemyError, StoreGone):
            raise Unavailable(
                f"Not written: what '{purpose}' has spent on {self._target.name} today cannot be read.",
                "Nothing was written: what cannot be counted is not spent.",
            ) from None
        if taken != 1:
            raise self._reached(held, cap, now)
        return held

    def change(self, held: Reservation, calls: int, cents: float) -> None:
        """Add to what is written down for a reservation's day. Where the store is gone it stays reserved: too much
        counted is safe, too little is not."""
        with suppress(SQLAlchemyError, StoreGone), self._store.write() as tx:
            tx.execute(
                update(probe_spending)
                .where(*self._row(held))
                .values(calls=probe_spending.c.calls + calls, cents=probe_spending.c.cents + cents)
            )

    def _open_row(self, held: Reservation) -> None:
        """Have a row for the day. In a transaction of its own, since a row that is there already ends it."""
        with self._store.read() as tx:
            if tx.execute(select(probe_spending.c.calls).where(*self._row(held))).one_or_none() is not None:
                return
        with suppress(IntegrityError), self._store.write() as tx:
            tx.execute(
                insert(probe_spending).values(
                    target=self._target.name, purpose=held.purpose, day=held.day, calls=0, cents=0.0
                )
            )

    def _row(self, held: Reservation) -> tuple[ColumnElement[bool], ...]:
        return (
            probe_spending.c.target == self._target.name,
            probe_spending.c.purpose == held.purpose,
            probe_spending.c.day == held.day,
        )

    def _reached(self, held: Reservation, cap: ProbeCap, now: datetime) -> CapReached:
        spent = _spent_on(self._store, self._target, held.day).get(held.purpose, (0, 0.0))
        return CapReached(
            refusal(self._target.name, held, cap, spent, now),
            "Nothing was written: nobody has looked at what this check is about.",
            f"Wait, or raise probe_caps.{held.purpose} of {self._target.name}.",
            place=f"targets.{self._target.name}.probe_caps",
        )


def refusal(target: str, held: Reservation, cap: ProbeCap, spent: tuple[int, float], now: datetime) -> str:
    """Which cap it is, what is left of it, what was wanted, and when it is free again."""
    left_calls, left_cents = max(0, cap.calls - spent[0]), max(0.0, cap.cents - spent[1])
    by_calls = held.calls > left_calls
    named, left, wanted = (
        (f"{cap.calls} calls", f"{left_calls}", f"{held.calls}")
        if by_calls
        else (f"{cap.cents:g} cents", f"{left_cents:.2g}", f"{held.cents:.2g}")
    )
    used_up = left_calls == 0 if by_calls else round(left_cents, CENTS_PLACES) == 0
    state = "is used up" if used_up else f"leaves {left}, and this check may need {wanted}"
    return (
        f"Not written: the cap of {named} a day for '{held.purpose}' on {target} {state}; "
        f"free again at 00:00 UTC (in {_span(free_at(now) - now)})."
    )


def spending(store: Store, target: Target, now: datetime) -> list[Spent]:
    """What each purpose of a target has spent today: those with a test account, with a cap, or with spending."""
    spent = _spent_on(store, target, day_of(now))
    named = [one.purpose for one in target.probe_accounts]
    found = []
    for purpose in dict.fromkeys([*named, *target.probe_caps, *spent]):
        calls, cents = spent.get(purpose, (0, 0.0))
        cap = cap_of(target, purpose)
        limits = (None, None) if cap is None else (cap.calls, cap.cents)
        found.append(Spent(purpose, calls, limits[0], round(cents, 4), limits[1], free_at(now)))
    return found


def _spent_on(store: Store, target: Target, day: str) -> Mapping[str, tuple[int, float]]:
    query = select(probe_spending).where(probe_spending.c.target == target.name, probe_spending.c.day == day)
    with store.read() as tx:
        return {row.purpose: (row.calls, row.cents) for row in tx.execute(query.order_by(probe_spending.c.purpose))}


def _span(left: timedelta) -> str:
    minutes = max(1, int(left.total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes // 60} h {minutes % 60} min"

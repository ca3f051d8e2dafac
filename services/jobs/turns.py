"""Turns: what one worker at a time does for all who share a store, claimed by one conditional change of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from services.store.database import Store
from services.store.tables import turns


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn something is, until when, and what its last holder told."""

    holder: str
    until: datetime
    told: Mapping[str, Any]


def take_turn(store: Store, name: str, holder: str, now: datetime, lasts: timedelta, *, again: bool = True) -> bool:
    """Whether it is this holder's turn from now on, for as long as it lasts: nobody's is under way, or its own.

    again: whether one's own turn may be taken anew before it ends
    """
    free = turns.c.until <= now
    with store.write() as tx:
        taken = tx.execute(
            update(turns)
            .where(turns.c.name == name, or_(free, turns.c.holder == holder) if again else free)
            .values(holder=holder, until=now + lasts)
        ).rowcount
        if taken:
            return True
        if tx.execute(select(turns.c.name).where(turns.c.name == name)).one_or_none() is not None:
            return False
    try:
        with store.write() as tx:
            tx.execute(insert(turns).values(name=name, holder=holder, until=now + lasts))
    except IntegrityError:
        # Somebody else began it at the same moment.
        return False
    return True


def tell_of_turn(store: Store, name: str, told: Mapping[str, Any]) -> None:
    """Keep what came of a turn, beside what was told before under other names."""
    with store.write() as tx:
        before = tx.execute(select(turns.c.told).where(turns.c.name == name)).scalar() or {}
        tx.execute(update(turns).where(turns.c.name == name).values(told={**before, **told}))


def turn_of(store: Store, name: str) -> Turn | None:
    """The last turn of that name; None where there never was one."""
    with store.read() as tx:
        row = tx.execute(select(turns).where(turns.c.name == name)).one_or_none()
    return None if row is None else Turn(row.holder, row.until, row.told or {})

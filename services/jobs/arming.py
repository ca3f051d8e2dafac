"""Who has armed a target, for which run, until when: rows that tell all of it but the address itself.

The owner's address is in the memory of one worker and nowhere else (safe.py); it is over when its row is over.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.access.permissions import Actor, Permission
from services.errors import NotUnderstood, Refused
from services.jobs.liveness import worker_is_gone
from services.settings import Level, Target
from services.store import audit
from services.store.database import Store
from services.store.tables import armings, runs

LONGEST = timedelta(hours=24)
TIME_OVER = "its time was over"
WORKER_ENDED = "the worker ended, and with it its memory"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What arming asks for. run_id: the run it is for, None = any job on the target; place and role: whose address."""

    target: str
    run_id: str | None
    place: str
    role: str
    actor: Actor
    until: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "run_id": self.run_id,
            "place": self.place,
            "role": self.role,
            "actor": self.actor.to_json(),
            "until": self.until.isoformat(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            target=str(data["target"]),
            run_id=None if data["run_id"] is None else str(data["run_id"]),
            place=str(data["place"]),
            role=str(data["role"]),
            actor=Actor.from_json(data["actor"]),
            until=datetime.fromisoformat(str(data["until"])),
        )


@dataclass(frozen=True, slots=True)
class Arming:
    """One arming. worker: the one whose memory holds the address of `place`."""

    id: str
    target: str
    run_id: str | None
    worker: str
    place: str
    role: str
    actor: Actor
    armed: datetime
    until: datetime

    def serves(self, run_id: str | None) -> bool:
        """Whether a job of this run may use it; a job of no run may."""
        return run_id is None or self.run_id in (None, run_id)


def is_armed_for_use(level: Level, target: Target) -> bool:
    """Whether what needs this level is done with an armed address: the settings hold none for it."""
    return level is Level.DEPLOY and target.deploy_url is None


def armed(store: Store, target: str, now: datetime) -> Arming | None:
    """Who has armed the target; None where nobody has, where the time is over, or where the worker is gone."""
    with store.read() as tx:
        row = _holding(tx, target)
        return None if row is None or _over(tx, row, now) else _arming(row)


def require_armed(store: Store, target: Target, run_id: str | None, now: datetime) -> Arming:
    """The arming that a job of this run may use. Raises Refused, naming the level and the way to it."""
    found = armed(store, target.name, now)
    if found is None:
        raise Refused(
            f"{target.name} is not armed: the level '{Level.DEPLOY}' is held for one run at a time, in memory only.",
            "Nothing was done: its settings hold no address that may change the database.",
            f"Run `python -m dashboard arm --target {target.name}` where its worker runs; "
            f"/settings?target={target.name}&level={Level.DEPLOY} shows the way.",
            place=f"/settings?target={target.name}&level={Level.DEPLOY}",
        ).because("not-armed")
    if not found.serves(run_id):
        raise Refused(
            f"{target.name} is armed for run {found.run_id}, not for {run_id}.",
            "Nothing was done.",
            f"Disarm it, then `python -m dashboard arm --target {target.name} --run {run_id}`.",
        ).because("armed-for-another-run")
    return found


def refuse_arming(store: Store, target: Target, wanted: Wanted, now: datetime) -> None:
    """Raises Refused or NotUnderstood where the target may not be armed so; nothing is changed."""
    wanted.actor.require(Permission.DEPLOY, target.name)
    target.require(Level.DEPLOY)
    if target.deploy_url is not None:
        raise Refused(
            f"{target.name} has a deploy_url in its settings: there is nothing to arm.",
            "Nothing was armed.",
            "Take deploy_url out of the settings if it shall be held for one run only.",
            place=f"targets.{target.name}.deploy_url",
        )
    if not now < wanted.until <= now + LONGEST:
        raise NotUnderstood(
            f"An address is held for at most {LONGEST.total_seconds() / 3600:g} hours.",
            "Nothing was armed.",
            "Name a time like 90m or 4h.",
            place="--for",
        )
    with store.read() as tx:
        if wanted.run_id is not None:
            known = tx.execute(select(runs.c.target).where(runs.c.id == wanted.run_id)).scalar()
            if known != target.name:
                raise NotUnderstood(
                    f"There is no run '{wanted.run_id}' on {target.name}.",
                    "Nothing was armed.",
                    "/history lists the runs.",
                    place="--run",
                )
    holder = armed(store, target.name, now)
    if holder is not None and holder.actor.id != wanted.actor.id:
        raise _taken(holder)


def arm(store: Store, *, target: Target, wanted: Wanted, worker: str, now: datetime) -> Arming:
    """Write down that this worker holds the address from now on; what the same person armed before is replaced.

    Raises Refused where somebody else holds the target, where it may not be armed, or the person may not.
    """
    refuse_arming(store, target, wanted, now)
    arming_id = f"arm-{secrets.token_hex(5)}"
    values = {name: value for name, value in wanted.to_json().items() if name != "until"}
    try:
        with store.write() as tx:
            before = _holding(tx, target.name)
            if before is not None:
                over = _over(tx, before, now)
                if over is None and before.actor["id"] != wanted.actor.id:
                    raise _taken(_arming(before))
                _end(tx, before, over or f"{wanted.actor.name} armed it anew", now)
            tx.execute(
                insert(armings).values(
                    **values, id=arming_id, slot=target.name, worker=worker, armed=now, until=wanted.until
                )
            )
            detail = {"run": wanted.run_id, "place": wanted.place, "role": wanted.role}
            detail["until"] = wanted.until.isoformat()
            audit.record(
                tx, actor=wanted.actor.id, action="arm", target=target.name, subject=arming_id, now=now, detail=detail
            )
            return _arming(tx.execute(select(armings).where(armings.c.id == arming_id)).one())
    except IntegrityError:
        raise Refused(
            f"{target.name} has just been armed by somebody else.", "Nothing was armed.", "Look who holds it."
        ) from None


def disarm(store: Store, actor: Actor, target: str, now: datetime) -> Arming:
    """End what is armed; the worker that holds the address forgets it within a second.

    A job that runs already has the address in a process of its own, which ends with the job.
    Raises Refused without the right, or where nothing is armed.
    """
    actor.require(Permission.DEPLOY, target)
    with store.write() as tx:
        row = _holding(tx, target)
        if row is None:
            raise Refused(f"{target} is not armed.", "There is nothing to forget.", "")
        _end(tx, row, f"{actor.name} disarmed it", now, by=actor.id)
        return _arming(row)


def end(store: Store, arming_id: str, because: str, now: datetime) -> bool:
    """End one arming, where it has not ended yet; returns whether it was this call that did."""
    with store.write() as tx:
        row = tx.execute(select(armings).where(armings.c.id == arming_id)).one_or_none()
        return row is not None and _end(tx, row, because, now)


def is_held(store: Store, arming_id: str) -> bool:
    """Whether this arming has not been ended; for the worker that holds the address."""
    with store.read() as tx:
        slot = tx.execute(select(armings.c.slot).where(armings.c.id == arming_id)).scalar()
    return slot is not None


def settle_armings(store: Store, now: datetime) -> bool:
    """End what is over: by its time, or because the worker that held it is gone. Returns whether there was any."""
    with store.read() as tx:
        over = [row for row in tx.execute(select(armings).where(armings.c.slot.is_not(None))) if _over(tx, row, now)]
    for row in over:
        with store.write() as tx:
            _end(tx, row, _over(tx, row, now) or TIME_OVER, now)
    return bool(over)


def last_end(store: Store, target: str) -> str | None:
    """Why the newest arming of a target ended, as a clause; None where it holds or there was none."""
    query = select(armings.c.ended_because).where(armings.c.target == target).order_by(armings.c.armed.desc()).limit(1)
    with store.read() as tx:
        because: str | None = tx.execute(query).scalar()
    return because


def _taken(holder: Arming) -> Refused:
    whose = f"for run {holder.run_id} " if holder.run_id else ""
    return Refused(
        f"{holder.target} is armed already {whose}by {holder.actor.name} until {holder.until:%Y-%m-%d %H:%M} UTC.",
        "Nothing was armed: one person at a time.",
        "Ask that person, or disarm it first.",
    )


def _holding(tx: Connection, target: str) -> Row[Any] | None:
    return tx.execute(select(armings).where(armings.c.slot == target)).one_or_none()


def _over(tx: Connection, row: Row[Any], now: datetime) -> str | None:
    if row.until <= now:
        return TIME_OVER
    return WORKER_ENDED if worker_is_gone(tx, row.worker, now) else None


def _end(tx: Connection, row: Row[Any], because: str, now: datetime, by: str | None = None) -> bool:
    ended = tx.execute(
        update(armings)
        .where(armings.c.id == row.id, armings.c.slot.is_not(None))
        .values(slot=None, ended=now, ended_because=because[:200])
    ).rowcount
    if ended:
        audit.record(
            tx,
            actor=by or row.actor["id"],
            action="disarm",
            target=row.target,
            subject=row.id,
            now=now,
            detail={"because": because},
        )
    return bool(ended)


def _arming(row: Row[Any]) -> Arming:
    return Arming(
        id=row.id,
        target=row.target,
        run_id=row.run_id,
        worker=row.worker,
        place=row.place,
        role=row.role,
        actor=Actor.from_json(row.actor),
        armed=row.armed,
        until=row.until,
    )

"""The job that takes a backup: it only reads, gives way to whoever changes the database, and ends in a proof."""

from __future__ import annotations

import time
from typing import Any

from services.app_definition import load_app
from services.database.backup.take import take_backup
from services.database.execution import Stopped
from services.errors import Refused
from services.jobs.backups import folder_of, prune, write_down
from services.jobs.checking import STATE_OF, prove
from services.jobs.queue import JobState, active_job
from services.jobs.releasing import deploying_url
from services.jobs.worker import JobContext, Outcome
from services.settings import Target

LOOK_EVERY_S = 1.0


def recipient_of(target: Target) -> str:
    """Raises Refused where nobody is named who could open a backup."""
    if target.backup_recipient is None:
        raise Refused(
            f"{target.name} names nobody to whom its backups are encrypted.",
            "No backup was taken: one that anybody can read would be worse than none.",
            "Make a key pair with `python -m dashboard backup --new-key`, keep the secret part away from this machine, "
            "and set backup_recipient to the public part.",
            place=f"targets.{target.name}.backup_recipient",
        )
    return target.backup_recipient


class _GivesWay:
    """Asks whether to stop: because somebody wants it, or because the database is being changed.

    pg_dump holds a lock on every table that a deploy would have to wait for, so the deploy goes first. Once the dump
    is written nothing is held any more, and the proof goes on.
    """

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self._reads = True
        self.gave_way_to: str | None = None

    def tell(self, kind: str, payload: dict[str, Any]) -> None:
        """Pass on what happens, and see when the database is no longer read."""
        self._context.emit(kind, payload)
        if kind == "phase" and payload["name"] == "examine":
            self._reads = False

    def __call__(self) -> bool:
        if self._context.cancelled():
            return True
        if self._reads and self.gave_way_to is None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY_S
            change = active_job(self._context.store, self._context.job.target)
            self.gave_way_to = change.title if change is not None else None
        return self.gave_way_to is not None


def backup(context: JobContext) -> Outcome:
    """Take a backup and prove it; then delete old ones that are no longer needed."""
    target, store = context.target, context.store
    recipient = recipient_of(target)
    if (change := active_job(store, target.name)) is not None:
        raise Refused(
            f"{target.name} is being changed: '{change.title}' is not finished.",
            "No backup was taken: it would stand in the way of that change.",
            "Take it when the change has ended.",
        )
    stop = _GivesWay(context)
    try:
        done = take_backup(
            deploying_url(target),
            target=target.name,
            recipient=recipient,
            folder=folder_of(context.settings, target),
            home=context.settings.home,
            keep_days=target.backup_keep_days,
            private=load_app(target.app).private,
            clock=context.clock,
            emit=stop.tell,
            cancelled=stop,
        )
    except Stopped:
        why = f"It gave way to '{stop.gave_way_to}'" if stop.gave_way_to else "Stopped"
        return Outcome(JobState.CANCELLED, f"{why}: there is no new backup, and nothing of it is left.", {})
    actor = context.job.actor
    write_down(store, done, target=target.name, job_id=context.job.id, actor=actor.id, now=context.clock())
    gone = prune(store, actor=actor, target=target, now=context.clock())
    for one in gone:
        context.emit("deleted", {"message": f"{one.file.name} was kept long enough and is deleted"})
    prove(context)
    return Outcome(STATE_OF[done.verdict], done.summary, {**done.to_json(), "deleted": [one.id for one in gone]})

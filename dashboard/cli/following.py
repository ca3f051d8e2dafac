"""Asking for a job and seeing it to its end: in a living worker where there is one, else in this process."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dashboard import composition
from dashboard.cli.answer import BAD, GOOD, NOT_UNDERSTOOD, UNKNOWN, tell
from dashboard.cli.person import person
from dashboard.processes.logs import log_to
from dashboard.processes.signals import StopSignals
from services.errors import NotUnderstood, OpsError, Refused, Unavailable
from services.jobs.arming import is_armed_for_use, require_armed
from services.jobs.handlers import make_worker
from services.jobs.kinds import job_kind
from services.jobs.liveness import worker_is_alive
from services.jobs.queue import Job, JobState, cancel, enqueue, events, job
from services.jobs.worker import Worker
from services.settings import Target
from services.store.database import Store

LOOK_EVERY_S = 0.1

EXIT_OF: Mapping[JobState, int] = {
    JobState.PASSED: GOOD,
    JobState.FAILED: BAD,
    JobState.CANCELLED: BAD,
    JobState.UNKNOWN: UNKNOWN,
    JobState.INTERRUPTED: UNKNOWN,
}


def carry_out(kind: str, target: Target, payload: Mapping[str, Any]) -> Job:
    """Queue a job on the target and return it when it has ended; what it tells meanwhile goes to standard error.

    The first Ctrl-C asks it to stop at its next safe point, where a deploy is either whole or not there at all.
    Raises what the job ended with, where that was an error with a sentence; Refused without the right or the level.
    """
    store = composition.store()
    require_way(store, kind, target)
    queued = enqueue(
        store,
        actor=person(target),
        kind=kind,
        target=target,
        payload=payload,
        idempotency_key=f"cli/{secrets.token_hex(8)}",
        now=_now(),
    )
    return raise_error(follow(store, queued))


def require_way(store: Store, kind: str, target: Target) -> None:
    """Raise Refused where the job works with an armed address and none is held, naming the ways there are from here."""
    if not is_armed_for_use(job_kind(kind).level, target):
        return
    target.require(job_kind(kind).level)
    try:
        require_armed(store, target, None, _now())
    except Refused as error:
        if worker_is_alive(store, _now()):
            raise
        raise Refused(
            error.what,
            error.means,
            "No worker runs here that could hold it: start one with `python -m dashboard run` and arm "
            f"{target.name}, or let this one command do it, with --database env:NAME.",
            place=error.place,
        ) from None


def follow(store: Store, queued: Job) -> Job:
    """Return the job when it has ended, running it here whenever no worker is alive to do it."""
    told = 0
    own: _OwnWorker | None = None
    never = threading.Event()
    with StopSignals() as signals:
        asked_to_stop = False
        while True:
            told = _tell_new(store, queued.id, told)
            current = job(store, queued.id)
            if not current.active:
                _tell_new(store, queued.id, told)
                return current
            if signals.received and not asked_to_stop:
                asked_to_stop = True
                tell("Asked to stop; waiting for the next safe point.")
                cancel(store, actor=queued.actor, job_id=queued.id, now=_now())
            if (own is None or own.idle) and not worker_is_alive(store, _now()):
                own = _OwnWorker(queued.id)
            (never if asked_to_stop else signals.event).wait(LOOK_EVERY_S)


class _OwnWorker:
    """Runs one job in a thread of this process, or settles it where its worker died."""

    def __init__(self, job_id: str) -> None:
        log_to(sys.stderr)
        self._worker = make_worker(composition.store(), composition.settings, watch=False)
        self._thread = threading.Thread(target=self._work, args=(self._worker, job_id), name="own-worker", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        return not self._thread.is_alive()

    @staticmethod
    def _work(worker: Worker, job_id: str) -> None:
        if not worker.run_job(job_id):
            worker.settle_dead()


def raise_error(ended: Job) -> Job:
    """The job, unless it ended with an error that has a sentence of its own: that is raised."""
    error = (ended.result or {}).get("error")
    if error is None:
        return ended
    kind = NotUnderstood if (ended.result or {}).get("exit_code") == NOT_UNDERSTOOD else _KIND[ended.state]
    raise kind(error["what"], error["means"], error["do"], error["place"])


_KIND: Mapping[JobState, type[OpsError]] = {JobState.FAILED: Refused, JobState.UNKNOWN: Unavailable}


def _tell_new(store: Store, job_id: str, told: int) -> int:
    for event in events(store, job_id, after=told):
        told = event.seq
        sentence = sentence_of(event.kind, event.payload)
        if sentence:
            tell(sentence)
    return told


def sentence_of(kind: str, payload: Mapping[str, Any]) -> str | None:
    """One line for a person about an event of a job; None for what only a screen needs."""
    if kind == "statement" and payload.get("state") == "done":
        return f"  {payload['file']}:{payload['line']}  {payload['ms']} ms"
    if kind == "notice":
        return f"  {payload['severity']}: {payload['message']}"
    if kind == "check-finished":
        return f"  {payload['verdict']:7}  {payload['check_id']}  {payload['summary']}"
    if kind == "query":
        return f"  {payload['verdict']:7}  {payload['id']}  {payload['message']}".rstrip()
    if kind == "not-settled":
        return f"  Its end is not known: {payload['what']} {payload['do']}"
    if kind == "table":
        return f"  {payload['doing']}  {payload['name']}  ({payload['index']} of {payload['of']})"
    if kind == "blocker":
        who = f"{payload['user']}, {payload['application'] or 'no name'}"
        held = f"{payload['mode'] or 'a place before us'} on {payload['relation'] or 'what we wait for'}"
        return f"  Kept waiting by process {payload['pid']} ({who}, since {payload['age_s']} s): {held}."
    if kind == "retry":
        return f"  A lock was not free (try {payload['attempt']} of {payload['of']}); again in {payload['pause_s']} s."
    if kind == "position":
        return f"  The sequence {payload['object']} goes on after {payload['position']}."
    return None


def _now() -> datetime:
    return composition.now()

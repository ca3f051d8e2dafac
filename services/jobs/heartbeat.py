"""Our sign of life to the outside: an address is called while the work really goes on, so that our silence alarms."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select

from services.clients.http import HttpClient
from services.clients.upstream_error import UpstreamError
from services.errors import OpsError
from services.jobs.kinds import job_kind
from services.jobs.queue import JobState
from services.jobs.turns import take_turn, tell_of_turn, turn_of
from services.settings import Settings
from services.store.database import Store
from services.store.tables import job_events, jobs

NAME = "heartbeat"
CALL_S = 10.0
STUCK_S = 120.0
"""A loop of the worker that has not turned for so long is stuck; watching many slow targets takes most of this."""
HANGS = timedelta(minutes=30)
"""A running job that has told nothing for so long hangs."""
UNSETTLED = timedelta(minutes=2)
"""A job whose worker is lost is looked into within seconds; after this long nobody does."""
LATE = 3
"""After so many spans without a beat somebody should look, though the address has not alarmed yet."""

log = structlog.get_logger("worker")

Call = Callable[[str], int]


class Signs:
    """When each loop of this worker last turned. Safe to use from many threads."""

    def __init__(self, stopwatch: Callable[[], float] = time.monotonic) -> None:
        self._stopwatch = stopwatch
        self._turned: dict[str, float] = {}

    def turned(self, loop: str) -> None:
        self._turned[loop] = self._stopwatch()

    def stuck(self, after_s: float) -> str | None:
        """What has not turned for so long, as a clause; None where everything has."""
        for loop, turned in dict(self._turned).items():
            silent_s = self._stopwatch() - turned
            if silent_s > after_s:
                return f"{loop} has stood still for {silent_s:.0f} s"
        return None


def call(url: str) -> int:
    """One GET with one deadline and no retry; the status. Raises UpstreamError where no answer comes."""
    client = HttpClient("The heartbeat's address", "", call_s=CALL_S)
    try:
        return client.get(url).status
    finally:
        client.close()


class Heartbeat:
    """Calls the address of the settings once a span, whichever of the workers is first to find that it is due.

    It is called only where our loops turn, the store takes a write, and no job hangs: nothing is said when something
    is wrong, and whoever waits for the call raises the alarm.
    """

    def __init__(
        self, store: Store, settings: Callable[[], Settings], signs: Signs, worker: str, *, call: Call = call
    ) -> None:
        self._store = store
        self._settings = settings
        self._signs = signs
        self._worker = worker
        self._call = call
        self._withheld: str | None = None

    def turn(self) -> bool:
        """Beat where it is due; False where it is not, is somebody else's turn, or had better be withheld."""
        try:
            settings = self._settings()
        except OpsError:
            return False
        if settings.heartbeat_url is None:
            return False
        now = self._store.now()
        before = turn_of(self._store, NAME)
        if before is not None and before.until > now:
            return False
        because = self._signs.stuck(max(STUCK_S, settings.heartbeat_every_s)) or hanging(self._store, now)
        if because is not None:
            self._withhold(because, now)
            return False
        self._withheld = None
        span = timedelta(seconds=settings.heartbeat_every_s)
        if not take_turn(self._store, NAME, self._worker, now, span, again=False):
            return False
        tell_of_turn(self._store, NAME, self._sent(settings.heartbeat_url.get_secret_value(), now))
        return True

    def _sent(self, url: str, now: datetime) -> dict[str, Any]:
        try:
            status = self._call(url)
        except UpstreamError as error:
            # Its words may hold the address, and the address is the key to the alarm.
            return {"failed": {"at": now.isoformat(), "because": f"no answer ({error.reason or error.kind.value})"}}
        if 200 <= status < 300:
            return {"answered": {"at": now.isoformat(), "status": status, "worker": self._worker}}
        return {"failed": {"at": now.isoformat(), "because": f"answered {status}"}}

    def _withhold(self, because: str, now: datetime) -> None:
        if self._withheld is not None:
            return
        self._withheld = because
        log.warning("the heartbeat is withheld", because=because)
        # A turn of no length: whoever is well may beat at once.
        if take_turn(self._store, NAME, self._worker, now, timedelta(0), again=False):
            tell_of_turn(self._store, NAME, {"withheld": {"at": now.isoformat(), "because": because}})


def hanging(store: Store, now: datetime) -> str | None:
    """A job that runs and tells nothing any more, or that nobody looks after, as a clause; None where there is none."""
    told = select(job_events.c.job_id, func.max(job_events.c.at).label("at")).group_by(job_events.c.job_id).subquery()
    query = (
        select(jobs.c.id, jobs.c.kind, jobs.c.lease_until, jobs.c.started, told.c.at)
        .outerjoin(told, told.c.job_id == jobs.c.id)
        .where(jobs.c.state == JobState.RUNNING)
        .order_by(jobs.c.created)
    )
    with store.read() as tx:
        running = tx.execute(query).all()
    for row in running:
        title = f"'{job_kind(row.kind).title}' ({row.id})"
        if row.lease_until is not None and row.lease_until < now - UNSETTLED:
            return f"{title} was left by its worker, and nobody has settled it"
        last = max((at for at in (row.started, row.at) if at is not None), default=None)
        if last is not None and last < now - HANGS:
            return f"{title} has told nothing for {(now - last).total_seconds() / 60:.0f} min"
    return None


@dataclass(frozen=True, slots=True)
class HeartbeatSeen:
    """What is known of our own heartbeat. good: None where none is set."""

    good: bool | None
    sentence: str


def heartbeat_seen(store: Store, settings: Settings, now: datetime) -> HeartbeatSeen:
    """The last beat and what came of it, in one sentence; the address is in none."""
    if settings.heartbeat_url is None:
        return HeartbeatSeen(
            None, "No heartbeat: if this dashboard fell silent, nobody would be told. Set OPS_HEARTBEAT_URL."
        )
    turn = turn_of(store, NAME)
    told: Mapping[str, Any] = turn.told if turn else {}
    newest = max(told, key=lambda name: str(told[name]["at"]), default=None)
    if newest is None:
        return HeartbeatSeen(False, "Heartbeat: not sent yet; no worker has found itself working.")
    last = told[newest]
    age_s = (now - datetime.fromisoformat(last["at"])).total_seconds()
    answered = told.get("answered")
    since = f" It was last answered at {answered['at'][:19]}Z." if answered and newest != "answered" else ""
    if newest == "withheld":
        return HeartbeatSeen(False, f"Heartbeat: withheld for {_age(age_s)}, since {last['because']}.{since}")
    if newest == "failed":
        return HeartbeatSeen(False, f"Heartbeat: failed {_age(age_s)} ago: {last['because']}.{since}")
    if age_s > settings.heartbeat_every_s * LATE:
        return HeartbeatSeen(False, f"Heartbeat: none for {_age(age_s)}; the last one was answered {last['status']}.")
    return HeartbeatSeen(True, f"Heartbeat: {_age(age_s)} ago, answered {last['status']}.")


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

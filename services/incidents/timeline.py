"""Incidents as they are written down: opened, noted, closed; and the timeline that holds every job meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import IntegrityError

from services.access.permissions import Actor, Permission
from services.errors import NotUnderstood, Refused
from services.jobs.queue import recent_jobs
from services.store import audit
from services.store.database import Store
from services.store.tables import incident_events, incidents


@dataclass(frozen=True, slots=True)
class Incident:
    """commander: who leads it now; closed: when it ended, None while it is open."""

    id: str
    target: str
    title: str
    opened_by: str
    opened: datetime
    commander: str
    closed: datetime | None


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline: when, who, what kind, and the sentence."""

    at: datetime
    actor: str
    kind: str
    text: str


def open_incident(
    store: Store, *, actor: Actor, target: str, title: str, now: datetime, idempotency_key: str
) -> Incident:
    """Open an incident with the actor as its commander; the same key opens one."""
    actor.require(Permission.COMMAND_INCIDENT, target)
    if not title.strip():
        raise NotUnderstood(
            "An incident needs a title.", "Nothing was opened.", "Say in a few words what is wrong.", place="title"
        )
    incident_id = f"inc-{secrets.token_hex(4)}"
    # The same click may arrive twice at once: the second finds the incident that the first has opened.
    with suppress(IntegrityError), store.write() as tx:
        known = tx.execute(select(incidents.c.id).where(incidents.c.idempotency_key == idempotency_key)).scalar()
        if known is None:
            tx.execute(
                insert(incidents).values(
                    id=incident_id,
                    target=target,
                    title=title.strip(),
                    opened_by=actor.name,
                    opened=now,
                    idempotency_key=idempotency_key,
                )
            )
            _append(tx, incident_id, actor, "opened", {"text": title.strip(), "commander": actor.name}, now, target)
    with store.read() as tx:
        found = tx.execute(select(incidents.c.id).where(incidents.c.idempotency_key == idempotency_key)).scalar_one()
    return incident(store, str(found))


def incident(store: Store, incident_id: str) -> Incident:
    """One incident. Raises NotUnderstood for an id that is not known."""
    with store.read() as tx:
        row = tx.execute(select(incidents).where(incidents.c.id == incident_id)).one_or_none()
        if row is None:
            raise NotUnderstood(f"There is no incident '{incident_id}'.", "", "/history lists them.", place="incident")
        return _incident(tx, row)


def list_incidents(store: Store, target: str, limit: int = 50) -> list[Incident]:
    """The newest incidents of a target first."""
    query = select(incidents).where(incidents.c.target == target).order_by(incidents.c.opened.desc()).limit(limit)
    with store.read() as tx:
        return [_incident(tx, row) for row in tx.execute(query).all()]


def open_on(store: Store, target: str) -> Incident | None:
    """The newest incident of a target that is still open."""
    return next((found for found in list_incidents(store, target) if found.closed is None), None)


def _incident(tx: Connection, row: Row[Any]) -> Incident:
    commander, closed = row.opened_by, None
    for event in tx.execute(
        select(incident_events).where(incident_events.c.incident_id == row.id).order_by(incident_events.c.seq)
    ):
        commander = event.payload.get("commander", commander)
        closed = event.at if event.kind == "closed" else closed
    return Incident(row.id, row.target, row.title, row.opened_by, row.opened, commander, closed)


def note(store: Store, *, actor: Actor, incident_id: str, text: str, now: datetime) -> None:
    """Write a line into the timeline of an open incident."""
    found = _still_open(store, actor, incident_id)
    if not text.strip():
        raise NotUnderstood("The note is empty.", "Nothing was written.", "Write what you see or do.", place="note")
    with store.write() as tx:
        _append(tx, incident_id, actor, "note", {"text": text.strip()}, now, found.target)


def take_command(store: Store, *, actor: Actor, incident_id: str, now: datetime) -> None:
    """Hand the lead to the actor."""
    found = _still_open(store, actor, incident_id)
    with store.write() as tx:
        payload = {"commander": actor.name, "text": f"{actor.name} leads now."}
        _append(tx, incident_id, actor, "commander", payload, now, found.target)


def close_incident(store: Store, *, actor: Actor, incident_id: str, text: str, now: datetime) -> None:
    """Close an incident with what ended it."""
    found = _still_open(store, actor, incident_id)
    if not text.strip():
        raise NotUnderstood(
            "Say what ended the incident.", "It stays open.", "One sentence is enough.", place="resolution"
        )
    with store.write() as tx:
        _append(tx, incident_id, actor, "closed", {"text": text.strip()}, now, found.target)


def _still_open(store: Store, actor: Actor, incident_id: str) -> Incident:
    found = incident(store, incident_id)
    actor.require(Permission.COMMAND_INCIDENT, found.target)
    if found.closed is not None:
        raise Refused(f"'{found.title}' is closed.", "Nothing was written.", "Open a new incident.")
    return found


def _append(
    tx: Connection, incident_id: str, actor: Actor, kind: str, payload: Mapping[str, Any], now: datetime, target: str
) -> None:
    tx.execute(
        insert(incident_events).values(
            incident_id=incident_id, at=now, actor=actor.name, kind=kind, payload=dict(payload)
        )
    )
    audit.record(
        tx, actor=actor.id, action=f"incident {kind}", target=target, subject=incident_id, now=now, detail=payload
    )


def timeline(store: Store, incident_id: str) -> list[Moment]:
    """Everything since the incident was opened, oldest first: its own events, and every job on its target."""
    found = incident(store, incident_id)
    with store.read() as tx:
        own = [
            Moment(row.at, row.actor, row.kind, str(row.payload.get("text", "")))
            for row in tx.execute(select(incident_events).where(incident_events.c.incident_id == incident_id))
        ]
    moments = list(own)
    for job in recent_jobs(store, found.target, limit=1000):
        if job.created >= found.opened and (found.closed is None or job.created <= found.closed):
            moments.append(Moment(job.created, job.actor.name, "asked", f"{job.title} ({job.id})"))
            if job.finished:
                summary = str((job.result or {}).get("summary", ""))
                moments.append(Moment(job.finished, "worker", job.state.value, f"{job.title}: {summary}"))
    return sorted(moments, key=lambda moment: moment.at)

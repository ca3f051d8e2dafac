"""Incidents: one from two clicks, led by somebody, and a timeline that holds every job meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from services.access.permissions import Actor, Role
from services.errors import NotUnderstood, Refused
from services.incidents.timeline import (
    Incident,
    close_incident,
    incident,
    list_incidents,
    note,
    open_incident,
    open_on,
    take_command,
    timeline,
)
from services.jobs.queue import enqueue
from services.settings import Target
from services.store.database import Store
from tests.services.conftest import NOON


@pytest.fixture
def opened(store: Store, operator: Actor) -> Incident:
    return open_incident(store, actor=operator, target="staging", title="AI is silent", now=NOON, idempotency_key="k")


def test_two_clicks_open_one(store: Store, operator: Actor) -> None:
    def click(_: int) -> str:
        return open_incident(
            store, actor=operator, target="staging", title="AI is silent", now=NOON, idempotency_key="k"
        ).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(click, range(8)))) == 1
    assert len(list_incidents(store, "staging")) == 1


def test_the_timeline_holds_notes_commanders_and_jobs_in_order(
    store: Store, operator: Actor, target: Target, opened: Incident
) -> None:
    other = Actor("u2", "Otto", Role.ADMIN, "staging")
    note(store, actor=operator, incident_id=opened.id, text="looking", now=NOON + timedelta(seconds=1))
    enqueue(
        store,
        actor=operator,
        kind="restart",
        target=target,
        payload={},
        idempotency_key="j",
        now=NOON + timedelta(seconds=2),
    )
    take_command(store, actor=other, incident_id=opened.id, now=NOON + timedelta(seconds=3))
    close_incident(store, actor=other, incident_id=opened.id, text="quota paid", now=NOON + timedelta(seconds=4))
    assert [moment.kind for moment in timeline(store, opened.id)] == ["opened", "note", "asked", "commander", "closed"]
    found = incident(store, opened.id)
    assert (found.commander, found.closed) == ("Otto", NOON + timedelta(seconds=4))
    assert open_on(store, "staging") is None


def test_a_closed_incident_takes_nothing_more(store: Store, operator: Actor, opened: Incident) -> None:
    close_incident(store, actor=operator, incident_id=opened.id, text="done", now=NOON)
    with pytest.raises(Refused, match="is closed"):
        note(store, actor=operator, incident_id=opened.id, text="late", now=NOON)


def test_a_viewer_cannot_open_or_write(store: Store, viewer: Actor, opened: Incident) -> None:
    with pytest.raises(Refused):
        open_incident(store, actor=viewer, target="staging", title="x", now=NOON, idempotency_key="v")
    with pytest.raises(Refused):
        note(store, actor=viewer, incident_id=opened.id, text="x", now=NOON)


def test_empty_words_and_unknown_ids_are_sentences(store: Store, operator: Actor, opened: Incident) -> None:
    with pytest.raises(NotUnderstood, match="needs a title"):
        open_incident(store, actor=operator, target="staging", title=" ", now=NOON, idempotency_key="e")
    with pytest.raises(NotUnderstood, match="empty"):
        note(store, actor=operator, incident_id=opened.id, text=" ", now=NOON)
    with pytest.raises(NotUnderstood, match="Say what ended"):
        close_incident(store, actor=operator, incident_id=opened.id, text="", now=NOON)
    with pytest.raises(NotUnderstood, match="no incident"):
        incident(store, "inc-none")

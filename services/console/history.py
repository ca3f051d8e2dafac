"""Knows what was asked on the console, by whom and how it ended; never what came back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from services.access.permissions import Actor
from services.app_definition import AppDefinition
from services.clients.redaction import redact
from services.console.asking import Reply, ask
from services.errors import NotUnderstood, OpsError, Refused
from services.settings import Target
from services.store import audit
from services.store.database import Store
from services.store.tables import console_queries

KEPT = 100
"""Questions of one person on one target that are kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and how it ended: "answered", "refused", "not understood" or "unknown"."""

    id: str
    sql: str
    at: datetime
    outcome: str
    rows: int | None
    took_ms: float
    saved_as: str | None


def ask_and_note(
    store: Store, *, actor: Actor, target: Target, app: AppDefinition, text: str, now: datetime
) -> tuple[Reply, str]:
    """Ask, and note the question, answered or not; returns the reply and the id of the note. Raises as `ask` does."""
    try:
        reply = ask(target, app, actor, text)
    except OpsError as error:
        outcome = {Refused: "refused", NotUnderstood: "not understood"}.get(type(error), "unknown")
        _note(store, actor, target, text, now, outcome, None, 0.0)
        raise
    return reply, _note(store, actor, target, text, now, "answered", len(reply.rows), reply.took_ms)


def asked_before(store: Store, actor: Actor, target: str, *, limit: int = 20) -> list[Asked]:
    """This person's questions on this target, the newest first. Nobody sees another's: a question can tell much."""
    query = (
        select(console_queries)
        .where(console_queries.c.target == target, console_queries.c.actor == actor.id)
        .order_by(console_queries.c.at.desc(), console_queries.c.id.desc())
        .limit(limit)
    )
    with store.read() as tx:
        return [_asked(row) for row in tx.execute(query)]


def mark_saved(store: Store, asked_id: str, name: str) -> None:
    """Note under which name a question became a verification query."""
    with store.write() as tx:
        tx.execute(update(console_queries).where(console_queries.c.id == asked_id).values(saved_as=name))


def _note(
    store: Store,
    actor: Actor,
    target: Target,
    text: str,
    now: datetime,
    outcome: str,
    rows: int | None,
    took_ms: float,
) -> str:
    asked_id = f"asked-{secrets.token_hex(6)}"
    # What a person writes into a condition may be somebody's address.
    told = redact(text)
    with store.write() as tx:
        tx.execute(
            insert(console_queries).values(
                id=asked_id,
                target=target.name,
                actor=actor.id,
                at=now,
                sql=told,
                outcome=outcome,
                rows=rows,
                took_ms=took_ms,
            )
        )
        mine = (console_queries.c.target == target.name) & (console_queries.c.actor == actor.id)
        newest = select(console_queries.c.id).where(mine).order_by(console_queries.c.at.desc()).limit(KEPT)
        tx.execute(delete(console_queries).where(mine, console_queries.c.id.not_in(newest)))
        audit.record(
            tx,
            actor=actor.id,
            action="ask on the console",
            target=target.name,
            subject=asked_id,
            now=now,
            detail={"sql": told, "outcome": outcome, "rows": rows},
        )
    return asked_id


def _asked(row: Row[Any]) -> Asked:
    return Asked(row.id, row.sql, row.at, row.outcome, row.rows, row.took_ms, row.saved_as)

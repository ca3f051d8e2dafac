"""The audit chain: who did what to which target and when; each entry carries the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text

from services.store.database import Store
from services.store.tables import audit

GENESIS = "0" * 64
AUDIT_LOCK = 7_203_114_502


@dataclass(frozen=True, slots=True)
class AuditEntry:
    seq: int
    at: datetime
    actor: str
    action: str
    target: str
    subject: str
    detail: Mapping[str, Any]
    hash: str


def record(
    tx: Connection,
    *,
    actor: str,
    action: str,
    target: str,
    subject: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append an entry in the transaction of the mutation it tells of: both are there or neither."""
    if tx.dialect.name == "postgresql":
        # Two writers at once would both follow the same entry; the chain is written by one at a time.
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": AUDIT_LOCK})
    previous = tx.execute(select(audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).scalar() or GENESIS
    entry = {
        "at": now,
        "actor": actor,
        "action": action,
        "target": target,
        "subject": subject,
        "detail": dict(detail or {}),
    }
    tx.execute(insert(audit).values(**entry, previous=previous, hash=_hash(previous, entry)))


def _hash(previous: str, entry: Mapping[str, Any]) -> str:
    body = json.dumps({**entry, "at": entry["at"].isoformat()}, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256((previous + body).encode()).hexdigest()


def entries(store: Store, *, target: str | None = None, limit: int = 200) -> list[AuditEntry]:
    """The newest entries first, of one target or of all."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if target is not None:
        query = query.where(audit.c.target == target)
    with store.read() as tx:
        return [
            AuditEntry(row.seq, row.at, row.actor, row.action, row.target, row.subject, row.detail, row.hash)
            for row in tx.execute(query)
        ]


def first_broken(store: Store) -> int | None:
    """The seq of the first entry that does not follow from the one before it; None where the chain holds."""
    previous = GENESIS
    with store.read() as tx:
        for row in tx.execute(select(audit).order_by(audit.c.seq)):
            entry = {key: getattr(row, key) for key in ("at", "actor", "action", "target", "subject", "detail")}
            if row.previous != previous or row.hash != _hash(previous, entry):
                return int(row.seq)
            previous = row.hash
    return None

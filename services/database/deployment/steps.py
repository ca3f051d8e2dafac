"""Knows how far a deploy of several parts has come: a row for each part in `ops.deploy_steps`, intent and done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from services.database.deployment.parts import Part
from services.database.fingerprint import Fingerprint

FAILED = "failed"
"""In a step's detail: it was sent, and the server refused it. Without this its end is not known."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """A part that was begun. detail: what was there before it, so that what it left behind can be told.

    after: the catalog when it was done; None while it is only intended.
    """

    seq: int
    digest: str
    done: bool
    detail: Mapping[str, Any]
    after: Fingerprint | None


def steps_of(conn: psycopg.Connection[Any], receipt_id: str) -> list[StepRow]:
    """The parts of a receipt that were begun, in order."""
    rows = conn.execute(
        "SELECT seq, digest, done_at IS NOT NULL, detail, facts_after FROM ops.deploy_steps"
        " WHERE receipt_id = %s ORDER BY seq",
        (receipt_id,),
    ).fetchall()
    return [
        StepRow(seq, digest, done, detail or {}, Fingerprint.unpacked(facts) if facts else None)
        for seq, digest, done, detail, facts in rows
    ]


def intend(conn: psycopg.Connection[Any], receipt_id: str, part: Part, detail: Mapping[str, Any]) -> None:
    """Write down, before a statement outside any transaction is sent, that it will be."""
    first = part.statements[0]
    conn.execute(
        "INSERT INTO ops.deploy_steps (receipt_id, seq, kind, digest, file, line, intended_at, detail)"
        " VALUES (%s, %s, 'apart', %s, %s, %s, pg_catalog.clock_timestamp(), %s)"
        " ON CONFLICT (receipt_id, seq) DO UPDATE SET digest = EXCLUDED.digest, detail = EXCLUDED.detail,"
        " intended_at = EXCLUDED.intended_at",
        (receipt_id, part.seq, part.digest, first.file, first.line, Jsonb(dict(detail))),
    )


def done(conn: psycopg.Connection[Any], receipt_id: str, part: Part, after: Fingerprint) -> None:
    """Write down that a part is in. For a transaction's part this is one of its own statements.

    The receipt counts a statement outside any transaction here, once; those of a transaction it counts itself.
    """
    kind = "apart" if part.apart else "together"
    conn.execute(
        "WITH counted AS (UPDATE ops.deploy_receipts r SET statements = r.statements + 1 FROM ops.deploy_steps s"
        " WHERE r.id = s.receipt_id AND s.receipt_id = %s AND s.seq = %s AND s.kind = 'apart' AND s.done_at IS NULL)"
        " INSERT INTO ops.deploy_steps (receipt_id, seq, kind, digest, done_at, facts_after)"
        " VALUES (%s, %s, %s, %s, pg_catalog.clock_timestamp(), %s)"
        " ON CONFLICT (receipt_id, seq) DO UPDATE SET done_at = EXCLUDED.done_at, facts_after = EXCLUDED.facts_after,"
        " digest = EXCLUDED.digest",
        (receipt_id, part.seq, receipt_id, part.seq, kind, part.digest, after.packed(level=1)),
    )

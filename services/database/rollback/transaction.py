"""Knows one transaction of a rollback: what goes is told, kept or parked, taken, measured, and noted in the receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from services.database.deployment.guarded import Ran, Watch, begin, refuse_drift, run_statements
from services.database.deployment.receipts import Receipt, make_schema, mark_rolled_back
from services.database.fingerprint import Fingerprint, catalog_fingerprint, difference
from services.database.history.migrations import take_out
from services.database.rollback.blast_radius import Loss, blast_radius_on
from services.database.rollback.derived import WayTaken, take_derived_way, will_be_altered
from services.database.rollback.result import RollbackResult
from services.database.script import ReadScripts, Script
from services.database.snapshots.keep import Cover, Keeping, Uncovered
from services.database.snapshots.settling import settle_or_tell
from services.database.snapshots.snapshot import Part, parts_of

_RELATION_KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "S": "sequence"}
_UNFORESEEN = {*_RELATION_KINDS.values(), "column", "function", "trigger", "index", "policy", "type"}


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. inverse: what the statements were derived from, where the release brought none."""

    read: ReadScripts
    scripts: Sequence[Script]
    release_id: str
    receipt: Receipt | None
    actor: str
    job_id: str
    keep_days: int
    expected: Fingerprint | str | None
    watch: Watch
    inverse: Mapping[str, Any] | None = None


def roll_back_once(conn: psycopg.Connection[Any], order: Order, cover: Cover) -> RollbackResult:
    """Try it once, from BEGIN to COMMIT. cover: what earlier tries found to be taken beside what is foretold.

    Raises what `run_statements` raises, Uncovered (to be tried again with that cover), NotProved, Refused, Stopped.
    """
    watch = order.watch
    begin(conn, watch.limits)
    now = catalog_fingerprint(conn)
    refuse_drift(order.expected, now)
    make_schema(conn)
    watch.phase("blast-radius")
    radius = blast_radius_on(conn, order.scripts)
    watch.phase("snapshot")
    derived_from = order.receipt if order.inverse is not None else None
    keeping = Keeping(conn, release_id=order.release_id, actor=order.actor, keep_days=order.keep_days, emit=watch.emit)
    wanted = Cover.of(radius)
    wanted.add(cover)
    if derived_from is not None:
        wanted.add(will_be_altered(conn, derived_from))
    keeping.before(wanted, order.read.statements)
    watch.phase("statements")
    ran: list[Ran] = []
    notices: list[str] = []
    statements = order.read.statements
    way = WayTaken()
    if derived_from is None:
        run_statements(conn, statements, watch, ran, notices, instead=keeping.instead)
    else:
        way = take_derived_way(conn, derived_from, statements, keeping, watch, ran, notices)
    watch.phase("proof")
    if missing := keeping.missing():
        if derived_from is not None:
            # A table that was made anew went without a DROP that could have parked it: it has to be copied.
            missing.copied |= missing.tables
        raise Uncovered(missing)
    after = catalog_fingerprint(conn)
    kept = keeping.after(after.digest)
    radius += _unforeseen(now, after, radius)
    restored, words = _compared(order, after, way.not_restored)
    parts = parts_of(conn, kept.snapshot_id) if kept.snapshot_id else []
    result = RollbackResult(
        tuple(radius),
        kept.snapshot_id,
        restored,
        rows_lost(radius, parts),
        kept.rows,
        words,
        tuple(ran),
        tuple(notices),
        kept.parked,
        order.inverse,
        way.merged,
        way.conflicts,
    )
    if order.receipt is not None:
        note(conn, order, result)
    watch.stop_if_cancelled()
    watch.phase("commit")
    conn.execute("COMMIT")
    empty = settle_or_tell(conn, watch.emit).empty
    return replace(result, snapshot_id=None) if result.snapshot_id in empty else result


def note(conn: psycopg.Connection[Any], order: Order, result: RollbackResult) -> None:
    """Write the result into the deploy receipt, and take the release out of the target's list of migrations."""
    if order.receipt is not None:
        for version in order.receipt.listed:
            take_out(conn, version)
        mark_rolled_back(
            conn,
            order.receipt.id,
            actor=order.actor,
            job_id=order.job_id,
            snapshot_id=result.snapshot_id,
            result=result.to_json(),
        )


def rows_lost(radius: Sequence[Loss], parts: Sequence[Part]) -> int:
    """Rows of the blast radius of which the snapshot holds no proved part.

    A part holds the rows as they were when its table was locked, which may be others than were counted before.
    """
    whole = {(part.schema, part.table) for part in parts if part.kind in ("table", "parked")}
    columns = {(part.schema, part.table, name) for part in parts for name in part.columns}
    lost = 0
    for loss in radius:
        if loss.kind not in ("table", "column", "rows") or not loss.rows or not loss.table:
            continue
        place = (loss.schema, loss.table)
        if place not in whole and (*place, loss.column) not in columns:
            lost += loss.rows
    return lost


def _unforeseen(before: Fingerprint, after: Fingerprint, radius: Sequence[Loss]) -> list[Loss]:
    """Objects that went without being foretold, told by the catalog's facts before and after."""
    if not any(loss.effect == "unknown" for loss in radius):
        return []
    removed = difference(before, after).removed
    known = {loss.object.replace('"', "") for loss in radius}
    gone = [name.removeprefix("relation ") + "." for name in removed if name.startswith("relation ")]
    found = []
    for name in removed:
        kind, _, thing = name.partition(" ")
        if kind == "relation":
            kind = _RELATION_KINDS.get(before.facts[name][:1], "")
        if kind in ("policy", "trigger"):
            relation, _, part = thing.rpartition(".")
            thing = f"{part} on {relation}"
        part_of_gone = kind == "column" and any(thing.startswith(prefix) for prefix in gone)
        if kind == "function" and any(thing.split("(")[0] == one.split("(")[0] for one in known):
            continue  # told already, with its arguments worded another way
        if kind in _UNFORESEEN and not part_of_gone and thing.replace('"', "") not in known:
            found.append(Loss(kind, thing, None, None))
    return found


def _compared(order: Order, after: Fingerprint, not_restored: Sequence[str]) -> tuple[bool | None, str]:
    if order.receipt is None:
        return None, "There is no deploy receipt to compare the catalog with."
    change = difference(order.receipt.before, after)
    return not change, "; ".join([*([change.sentence()] if change else []), *not_restored])

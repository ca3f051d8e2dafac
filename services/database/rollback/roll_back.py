"""Knows how to take a deploy back without losing a row: what will go is shown, kept, proved, and only then dropped."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.database.connect import connect, inspect_connection, refuse_transaction_pooler
from services.database.deployment.guarded import (
    ConnectionLost,
    Limits,
    Ran,
    StatementFailed,
    Watch,
    begin,
    check_scripts,
    refuse_drift,
    roll_back_if_open,
    run_statements,
    with_retries,
)
from services.database.deployment.receipts import (
    HIDDEN,
    Receipt,
    application_name,
    find_receipt,
    make_schema,
    mark_rolled_back,
    receipt_of,
    require_lock,
)
from services.database.execution import Cancelled, Emit, never, silent
from services.database.fingerprint import Fingerprint, catalog_fingerprint, difference
from services.database.rehearsal.measure import Measurement, measure
from services.database.rollback.blast_radius import Loss, blast_radius, blast_radius_on
from services.database.script import ReadScripts, Script
from services.database.snapshots.snapshot import NotProved, Part, keep_columns, keep_table, new_snapshot
from services.errors import Refused, Unavailable
from services.verdict import Verdict

_ROUNDS = 4
_RELATION_KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "S": "sequence"}
_UNFORESEEN = {*_RELATION_KINDS.values(), "column", "function", "trigger", "index", "policy", "type"}


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What came of a rollback. The database was changed if this is returned at all.

    fingerprint_restored: the catalog is again the one before the deploy; None without a receipt to compare with.
    rows_lost: rows alive just before that are neither in place nor in the proved snapshot.
    not_restored: what differs from before the deploy, in words.
    """

    blast_radius: tuple[Loss, ...]
    snapshot_id: str | None
    fingerprint_restored: bool | None
    rows_lost: int
    rows_kept: int = 0
    not_restored: str = ""
    statements: tuple[Ran, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if self.rows_lost or self.fingerprint_restored is False:
            return Verdict.FAIL
        return Verdict.UNKNOWN if self.fingerprint_restored is None else Verdict.PASS

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "blast_radius": [loss.to_json() for loss in self.blast_radius],
            "snapshot_id": self.snapshot_id,
            "fingerprint_restored": self.fingerprint_restored,
            "rows_lost": self.rows_lost,
            "rows_kept": self.rows_kept,
            "not_restored": self.not_restored,
        }


@dataclass(slots=True)
class _Cover:
    """What the snapshot must hold: whole tables, and columns of tables, by (schema, table)."""

    tables: set[tuple[str, str]] = field(default_factory=set)
    columns: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tables or self.columns)

    def add(self, other: _Cover) -> None:
        self.tables |= other.tables
        for place, names in other.columns.items():
            self.columns.setdefault(place, set()).update(names)

    def add_column(self, place: tuple[str, str], column: str) -> None:
        self.columns.setdefault(place, set()).add(column)


@dataclass(frozen=True, slots=True)
class _Order:
    read: ReadScripts
    scripts: Sequence[Script]
    release_id: str
    receipt: Receipt | None
    actor: str
    job_id: str
    expected: Fingerprint | str | None
    watch: Watch


class _Uncovered(Exception):
    """The statements took something that the snapshot does not hold: nothing may be committed."""


def preview(url: str, release_id: str, scripts: Sequence[Script]) -> list[Loss]:
    """What a rollback would take with it now, changing nothing. Raises Refused where it was rolled back already.

    A role that may not see the receipts is shown it all the same; the rollback itself asks again.
    """
    check_scripts(scripts)
    try:
        _refuse_twice(find_receipt(url, release_id))
    except Unavailable as error:
        if error.reason != HIDDEN:
            raise
    return blast_radius(url, scripts)


def rollback(
    url: str,
    release_id: str,
    scripts: Sequence[Script],
    *,
    actor: str,
    job_id: str | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
    expected_fingerprint: Fingerprint | str | None = None,
    limits: Limits | None = None,
) -> RollbackResult:
    """Run the rollback scripts in one transaction that first keeps, and proves, every row they destroy.

    What the catalog does not foretell (DO blocks, functions, cascades) is measured after the statements ran: if it is
    not in the snapshot, all is undone and tried again with it.
    job_id: a second call with the same id returns the first one's result and changes nothing.
    Raises Refused (already rolled back, a statement failed, a copy that is not equal), NotUnderstood, Unavailable,
    Stopped; after each of these nothing is changed, but for Unavailable after a lost COMMIT, which says so.
    """
    read = check_scripts(scripts)
    job = job_id or str(uuid.uuid4())
    watch = Watch(emit, cancelled, limits or Limits())
    watch.phase("connect")
    with connect(url, application_name=application_name(job)) as conn:
        refuse_transaction_pooler(inspect_connection(conn, url))
        require_lock(conn)
        if done := receipt_of(conn, "rollback_job_id", job):
            return _from_receipt(done)
        receipt = receipt_of(conn, "release_id", release_id)
        _refuse_twice(receipt)
        order = _Order(read, scripts, release_id, receipt, actor, job, expected_fingerprint, watch)
        try:
            return _rounds(conn, order)
        except StatementFailed as failed:
            failure = failed.failure(read.statements[-1].file)
            place = failure.file if failure.line is None else f"{failure.file}:{failure.line}"
            raise Refused(
                f"The rollback failed: {failure.message}.", "Nothing was changed.", failure.failure_class.fix, place
            ) from failed
        except NotProved as error:
            raise Refused(
                f"The copy of {error} does not equal the table.", "Nothing was changed.", "Try again."
            ) from error
        except ConnectionLost as error:
            lost = error
    return _after_lost_connection(url, job, lost)


def _refuse_twice(receipt: Receipt | None) -> None:
    if receipt is not None and receipt.rolled_back_at is not None:
        raise Refused(
            f"The release was rolled back already, at {receipt.rolled_back_at:%Y-%m-%d %H:%M} UTC"
            f" by {receipt.rolled_back_by}.",
            "Nothing was changed.",
            "Deploy it again first, or look at the snapshot of that rollback.",
        )


def _from_receipt(receipt: Receipt) -> RollbackResult:
    told = receipt.rollback_result or {}
    losses = tuple(
        Loss(one["kind"], one["object"], one["rows"], one["bytes"], one["effect"])
        for one in told.get("blast_radius", [])
    )
    return RollbackResult(
        losses,
        receipt.snapshot_id,
        told.get("fingerprint_restored"),
        int(told.get("rows_lost", 0)),
        int(told.get("rows_kept", 0)),
        str(told.get("not_restored", "")),
    )


def _after_lost_connection(url: str, job_id: str, lost: ConnectionLost) -> RollbackResult:
    with connect(url, read_only=True, statement_timeout_s=10) as conn:
        receipt = receipt_of(conn, "rollback_job_id", job_id)
    if receipt is None:
        raise Unavailable(
            "The connection was lost during the rollback, and it is not recorded as done.",
            "It is applied wholly or not at all.",
            "Resume this job: it finds out, and goes on only if nothing was done.",
        ) from lost
    return _from_receipt(receipt)


def _rounds(conn: psycopg.Connection[Any], order: _Order) -> RollbackResult:
    """Try until the snapshot covers all that the statements take."""
    cover = _Cover()
    for _ in range(_ROUNDS):
        try:
            return with_retries(conn, order.watch, order.job_id, lambda _retries: _transaction(conn, order, cover))
        except _Uncovered:
            roll_back_if_open(conn)
    raise Refused(
        "The rollback takes rows that could not be kept.",
        "Nothing was changed.",
        "Split the script, so that what it deletes can be told beforehand.",
    )


def _transaction(conn: psycopg.Connection[Any], order: _Order, cover: _Cover) -> RollbackResult:
    watch = order.watch
    begin(conn, watch.limits)
    now = catalog_fingerprint(conn)
    refuse_drift(order.expected, now)
    make_schema(conn)
    watch.phase("blast-radius")
    radius = blast_radius_on(conn, order.scripts)
    _cover_radius(cover, radius)
    watch.phase("snapshot")
    snapshot_id, parts = _take_snapshot(conn, order, cover)
    base, columns_before = measure(conn), _columns(conn)
    watch.phase("statements")
    ran: list[Ran] = []
    notices: list[str] = []
    run_statements(conn, order.read.statements, watch, ran, notices)
    watch.phase("proof")
    if missing := _uncovered(conn, parts, base, columns_before):
        cover.add(missing)
        raise _Uncovered
    after = catalog_fingerprint(conn)
    radius += _unforeseen(now, after, radius)
    restored, words = _compared(order.receipt, after)
    kept = sum(part.rows.count for part in parts)
    result = RollbackResult(
        tuple(radius), snapshot_id, restored, _rows_lost(radius, parts), kept, words, tuple(ran), tuple(notices)
    )
    if order.receipt is not None:
        mark_rolled_back(
            conn,
            order.receipt.id,
            actor=order.actor,
            job_id=order.job_id,
            snapshot_id=snapshot_id,
            result=result.to_json(),
        )
    watch.stop_if_cancelled()
    watch.phase("commit")
    conn.execute("COMMIT")
    return result


def _cover_radius(cover: _Cover, radius: Sequence[Loss]) -> None:
    for loss in radius:
        if loss.schema is None or loss.table is None:
            continue
        if loss.kind in ("table", "rows"):
            cover.tables.add((loss.schema, loss.table))
        elif loss.kind == "column" and loss.column:
            cover.add_column((loss.schema, loss.table), loss.column)


def _take_snapshot(conn: psycopg.Connection[Any], order: _Order, cover: _Cover) -> tuple[str | None, list[Part]]:
    columns = {place: names for place, names in cover.columns.items() if place not in cover.tables}
    if not cover.tables and not columns:
        return None, []
    snapshot_id = new_snapshot(conn, order.release_id, order.actor)
    parts: list[Part] = []
    for schema, table in sorted(cover.tables):
        parts.append(keep_table(conn, snapshot_id, len(parts), schema, table))
        order.watch.emit("snapshot", {"object": f"{schema}.{table}", "rows": parts[-1].rows.count})
    for (schema, table), lost in sorted(columns.items()):
        parts.append(keep_columns(conn, snapshot_id, len(parts), schema, table, sorted(lost)))
        order.watch.emit("snapshot", {"object": f"{schema}.{table}", "rows": parts[-1].rows.count})
    return snapshot_id, parts


def _columns(conn: psycopg.Connection[Any]) -> dict[int, dict[int, str]]:
    """Names of the columns that hold values of their own, of every user table: oid -> number -> name."""
    found: dict[int, dict[int, str]] = {}
    rows = conn.execute(
        "SELECT a.attrelid::bigint, a.attnum, a.attname::text"
        " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
        " AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')"
    ).fetchall()
    for oid, number, name in rows:
        found.setdefault(oid, {})[number] = name
    return found


def _uncovered(
    conn: psycopg.Connection[Any],
    parts: Sequence[Part],
    base: Measurement,
    columns_before: dict[int, dict[int, str]],
) -> _Cover:
    """What the statements took, measured by effect, that no part of the snapshot holds."""
    after, columns_after = measure(conn), _columns(conn)
    missing = _Cover()
    whole = {(part.schema, part.table) for part in parts if part.kind == "table"}
    kept = {(part.schema, part.table): set(part.columns) for part in parts}
    for oid, old in base.items():
        schema, _, table = old.name.partition(".")
        if old.kind != "r" or schema == "ops" or (schema, table) in whole:
            continue
        new = after.get(oid)
        if new is None or new.file != old.file or new.updated > old.updated or new.deleted > old.deleted:
            missing.tables.add((schema, table))
            continue
        still_there = columns_after.get(oid, {})
        for number, column in columns_before.get(oid, {}).items():
            if number not in still_there and column not in kept.get((schema, table), set()):
                missing.add_column((schema, table), column)
    return missing


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


def _rows_lost(radius: Sequence[Loss], parts: Sequence[Part]) -> int:
    """Rows of the blast radius that no proved part of the snapshot holds."""
    kept = {part.name: part.rows.count for part in parts}
    lost = 0
    for loss in radius:
        if loss.kind in ("table", "column", "rows") and loss.rows and loss.table:
            lost += max(0, loss.rows - kept.get(f"{loss.schema}.{loss.table}", 0))
    return lost


def _compared(receipt: Receipt | None, after: Fingerprint) -> tuple[bool | None, str]:
    if receipt is None:
        return None, "There is no deploy receipt to compare the catalog with."
    change = difference(receipt.before, after)
    return not change, change.sentence() if change else ""

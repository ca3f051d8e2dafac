"""Knows the way back of a release that brings no rollback scripts: derived at its deploy, taken in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.connect import connect
from services.database.definitions.definition import Definitions
from services.database.definitions.read import read_definitions
from services.database.deployment.guarded import Ran, Watch, run_one, run_statements
from services.database.deployment.receipts import Receipt
from services.database.inverse.derive import only_order
from services.database.script import Script, Statement, split
from services.database.snapshots.effects import Place
from services.database.snapshots.keep import Cover, Keeping
from services.database.snapshots.kept_definitions import definitions_of
from services.database.snapshots.merge import Conflict
from services.database.snapshots.narrowed import tell_before_statement
from services.database.snapshots.positions import put_positions
from services.database.snapshots.restore import NotAsKept, merge_rows, take_back
from services.database.snapshots.snapshot import Part, parts_of
from services.errors import NotUnderstood, OpsError, Refused

_BEFORE, _AFTER = "before_rows", "after_rows"

_KEPT = """
SELECT s.id::text FROM ops.snapshots s
WHERE s.release_id = %(release)s AND s.taken_at < pg_catalog.now()
  AND NOT EXISTS (SELECT FROM ops.deploy_receipts r WHERE s.id = r.snapshot_id)
  AND s.taken_at > ALL (
    SELECT GREATEST(r.deployed_at, r.rolled_back_at,
                    (SELECT pg_catalog.max(d.done_at) FROM ops.deploy_steps d WHERE d.receipt_id = r.id))
    FROM ops.deploy_receipts r WHERE r.release_id = %(release)s AND r.deployed_at < %(deployed)s)
ORDER BY s.taken_at DESC
"""
"""What each transaction of one deploy kept, the last one first; its receipt names only the last."""


@dataclass(frozen=True, slots=True)
class WayTaken:
    """What came of it. merged: rows that the deploy had taken and that are back, None where none were to be.

    conflicts: what was left as it is now; not_restored: what of the catalog does not come back, in words.
    """

    merged: int | None = None
    conflicts: tuple[Mapping[str, Any], ...] = ()
    not_restored: tuple[str, ...] = ()

    def with_rows(self, merged: int, conflicts: Sequence[Mapping[str, Any]]) -> WayTaken:
        return WayTaken((self.merged or 0) + merged, (*self.conflicts, *conflicts), self.not_restored)


def derived_scripts(release_id: str, receipt: Receipt | None) -> tuple[Script, ...]:
    """The way back that was derived from the catalog's difference when the release was deployed.

    Rows are put back between its two scripts: tables and columns stand by then, and no trigger or foreign key yet.
    None where only rows are to be put back. Raises Refused where nothing is known of a way back.
    """
    inverse = receipt.inverse if receipt is not None else None
    if inverse is not None and receipt is not None and receipt.kept_snapshot_id and not inverse.get("sql"):
        return ()
    if not inverse or not inverse.get("sql"):
        why = "was never deployed here" if receipt is None else "left nothing in its receipt to derive one from"
        if receipt is not None and receipt.state == "begun":
            raise Refused(
                f"{release_id} has no rollback scripts, and its deploy stopped half-way, before a way back is derived.",
                "Nothing was changed; the parts that are in stay in.",
                "Put right what stopped it and deploy it again, which goes on from there; or write rollback/*.sql.",
            )
        raise Refused(
            f"{release_id} has no rollback scripts, and {why}.",
            "Nothing was changed.",
            "Write rollback/*.sql in a release folder, or restore from a snapshot or a backup.",
        )
    if inverse.get(_BEFORE) is None or inverse.get(_AFTER) is None:
        return (Script(f"{release_id}-inverse.sql", str(inverse["sql"])),)
    both = (
        Script(f"{release_id}-inverse-{number}.sql", "".join(f"{one};\n" for one in inverse[half]))
        for number, half in ((1, _BEFORE), (2, _AFTER))
    )
    return tuple(script for script in both if script.sql)


def will_be_altered(conn: psycopg.Connection[Any], receipt: Receipt) -> Cover:
    """The tables that stand and whose rows taking the deploy back will delete, alter or make anew: to be kept first.

    Known beforehand, it spares trying once in vain. Rows that only come back take nothing away.
    """
    cover = Cover()
    parts = [part for one in _kept_by(conn, receipt) for part in parts_of(conn, one)]
    for part in parts:
        if part.kind in ("inserted", "column") or _left_rows(conn, part):
            place: Place = (part.schema, part.table)
            cover.tables.add(place)
            cover.copied.add(place)
    return cover


def _left_rows(conn: psycopg.Connection[Any], part: Part) -> bool:
    """Whether the change left rows in the table that were not so before."""
    row = conn.execute(
        "SELECT pg_catalog.to_regclass('ops.' || pg_catalog.quote_ident(%s)) IS NOT NULL", (part.after_name,)
    ).fetchone()
    if part.after_name is None or row is None or not row[0]:
        return False
    query = sql.SQL("SELECT FROM {} WHERE \"ops what\" IN ('changed', 'inserted', 'more') LIMIT 1")
    return conn.execute(query.format(sql.Identifier("ops", part.after_name))).fetchone() is not None


def take_derived_way(
    conn: psycopg.Connection[Any],
    receipt: Receipt,
    statements: Sequence[Statement],
    keeping: Keeping,
    watch: Watch,
    ran: list[Ran],
    notices: list[str],
) -> WayTaken:
    """Take the deploy of this receipt back in the open transaction: objects, columns in their old order, and rows.

    Of a change that was kept whole, what is kept says what stood there. Else the derived statements are run, and the
    kept rows are put back between their halves; where what was kept is gone, that is told as a conflict.
    What goes meanwhile is parked, where it can be. Raises what `run_statements` raises, psycopg.Error, Stopped.
    """
    snapshot_id = receipt.kept_snapshot_id
    words = tuple(str(one) for one in (receipt.inverse or {}).get("not_restored", ()))
    if snapshot_id is None:
        run_statements(conn, statements, watch, ran, notices, instead=keeping.instead)
        return WayTaken(not_restored=words)

    def run(text: str) -> None:
        for statement in split(Script(f"{receipt.release_id}-inverse.sql", text)):
            ran.append(run_one(conn, statement, {"index": len(ran) + 1, "of": None}, watch, keeping.instead))

    if kept_whole(conn, receipt):
        try:
            done = take_back(conn, snapshot_id, emit=watch.emit, go_on=watch.stop_if_cancelled, run=run)
        except (NotAsKept, NotUnderstood) as gone:
            run_statements(conn, statements, watch, ran, notices, instead=keeping.instead)
            return WayTaken(0, (_not_there(snapshot_id, gone),), words)
        return WayTaken(done.rows_restored, _told(done.conflicts), tuple(done.not_restored))
    return _in_halves(conn, receipt, statements, keeping, watch, ran, notices, words)


def _in_halves(
    conn: psycopg.Connection[Any],
    receipt: Receipt,
    statements: Sequence[Statement],
    keeping: Keeping,
    watch: Watch,
    ran: list[Ran],
    notices: list[str],
    words: tuple[str, ...],
) -> WayTaken:
    """Run the derived statements, with the kept rows put back between their halves."""
    kept = _kept_by(conn, receipt)
    parts = [part for one in kept for part in parts_of(conn, one)]
    start = read_definitions(conn)
    shortened: list[Conflict] = []

    def instead(statement: Statement) -> bool:
        shortened.extend(tell_before_statement(conn, kept[0], parts, statement.sql))
        return keeping.instead(statement)

    first = [one for one in statements if not one.file.endswith("-inverse-2.sql")]
    run_statements(conn, first, watch, ran, notices, instead=instead, of=len(statements))
    taken = WayTaken(0, _told(shortened), words)
    for one in kept:
        taken = taken.with_rows(*_rows_back(conn, one, watch))
    then = statements[len(first) :]
    run_statements(conn, then, watch, ran, notices, instead=keeping.instead, of=len(statements))
    stood = [d for one in kept for d in definitions_of(conn, one).before if d.kind == "sequence position"]
    for sequence, position in put_positions(conn, Definitions.of(stood), start, read_definitions(conn), parts):
        watch.emit("position", {"object": sequence, "position": position})
    return taken


def _rows_back(
    conn: psycopg.Connection[Any], snapshot_id: str, watch: Watch
) -> tuple[int, tuple[Mapping[str, Any], ...]]:
    """How many rows came back from a snapshot, into the tables that stand, and the conflicts."""
    try:
        rows = merge_rows(conn, snapshot_id, emit=watch.emit, go_on=watch.stop_if_cancelled)
    except (NotAsKept, NotUnderstood) as gone:
        return 0, (_not_there(snapshot_id, gone),)
    return rows.put_back + rows.merged, _told(rows.conflicts)


def _kept_by(conn: psycopg.Connection[Any], receipt: Receipt) -> list[str]:
    """The snapshots of the deploy, the last one first."""
    if receipt.kept_snapshot_id is None:
        return []
    found = conn.execute(_KEPT, {"release": receipt.release_id, "deployed": receipt.deployed_at}).fetchall()
    return [row[0] for row in found] or [receipt.kept_snapshot_id]


def not_restored_by(url: str, receipt: Receipt) -> tuple[str, ...]:
    """What the way back without scripts does not bring back, in words. Raises as `connect` does."""
    words = tuple(str(one) for one in (receipt.inverse or {}).get("not_restored", ()))
    if receipt.kept_snapshot_id is None or not any(map(only_order, words)):
        return words
    with connect(url, read_only=True, statement_timeout_s=10) as conn:
        try:
            whole = kept_whole(conn, receipt)
        except psycopg.errors.InsufficientPrivilege:
            whole = False
    return tuple(one for one in words if not (whole and only_order(one)))


def kept_whole(conn: psycopg.Connection[Any], receipt: Receipt) -> bool:
    """Whether the snapshot holds every definition that the deploy changed: it does for one of a single transaction.

    Then columns come back to their old places too.
    """
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM ops.snapshot_definitions WHERE snapshot_id = %s)"
        " AND NOT EXISTS (SELECT FROM ops.deploy_steps WHERE receipt_id = %s)",
        (receipt.kept_snapshot_id, receipt.id),
    ).fetchone()
    return row is not None and bool(row[0])


def _told(conflicts: Sequence[Conflict]) -> tuple[Mapping[str, Any], ...]:
    return tuple(one.to_json() for one in conflicts)


def _not_there(snapshot_id: str, gone: OpsError) -> Mapping[str, Any]:
    return Conflict("", f"snapshot {snapshot_id}: {gone.what}", 0).to_json()

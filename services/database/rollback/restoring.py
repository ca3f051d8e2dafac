"""Knows how a snapshot is restored as an action of its own: one transaction under the lock, tried again, stoppable."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg

from services.database.connect import connect, inspect_connection, refuse_read_only, refuse_transaction_pooler
from services.database.deployment.guarded import ConnectionLost, Limits, StatementFailed, Watch, begin, with_retries
from services.database.deployment.receipts import application_name
from services.database.deployment.sessions import end_lost, loss_in_words, take_the_lock
from services.database.execution import Cancelled, Emit, never, silent
from services.database.fingerprint import catalog_fingerprint
from services.database.script import Script, split
from services.database.snapshots.going import Added, added_columns, emptied_by
from services.database.snapshots.keep import Cover, Keeping, Uncovered, covered
from services.database.snapshots.restore import Restoration, known_parts, note_restored
from services.database.snapshots.settling import settle_or_tell
from services.database.snapshots.snapshot import NotProved
from services.database.snapshots.taking_back import take_back_inside
from services.errors import OpsError, Refused, Unavailable


def restore(
    url: str,
    snapshot_id: str,
    *,
    undo: bool = False,
    actor: str = "restore",
    emit: Emit = silent,
    cancelled: Cancelled = never,
    limits: Limits | None = None,
) -> Restoration:
    """Bring back, in one transaction, all that the snapshot keeps: tables, columns, what hung on them, every row.

    What was written since is kept: a column that only the change altered gets its value of before, one that only a
    later write altered keeps it, and where both did the column stays as it is and is listed.
    undo: also what the change had made goes again: rows that nobody wrote to since, and objects that nobody altered.
    What lies in a table or column that goes is parked or copied first, as in a rollback: see `kept_snapshot_id`.
    actor: who asks, by whom that is then kept.
    Restoring twice changes nothing the second time. Triggers of the tables do not fire.
    Raises NotUnderstood (no such snapshot), Refused (nothing was changed), Unavailable, Stopped.
    """
    watch = Watch(emit, cancelled, limits or Limits())
    job = f"restore {snapshot_id}"
    with connect(url, application_name=application_name(job)) as conn, loss_in_words(conn):
        refuse_transaction_pooler(inspect_connection(conn, url))
        refuse_read_only(conn)
        process = take_the_lock(conn, job, watch)
        try:
            return covered(
                lambda cover: with_retries(
                    conn,
                    watch,
                    snapshot_id,
                    lambda _retries: _transaction(conn, snapshot_id, watch, cover, undo=undo, actor=actor),
                )
            )
        except NotProved as error:
            what = f"The copy of {error} does not equal the table."
            raise Refused(what, "Nothing was changed.", "Try again.") from error
        except StatementFailed as failed:
            message = failed.error.diag.message_primary
            way = "Mend that first." if undo else "Mend that first, or use --undo: what the change had made goes first."
            raise Refused(f"The restore failed: {message}.", "Nothing was changed.", way) from failed
        except ConnectionLost as error:
            with suppress(OpsError, psycopg.Error):
                end_lost(url, job, process)
            raise Unavailable(
                "The connection was lost during the restore.",
                "It is done wholly or not at all, and doing it again does no harm.",
                "Start it again.",
            ) from error


def _transaction(
    conn: psycopg.Connection[Any], snapshot_id: str, watch: Watch, cover: Cover, *, undo: bool, actor: str
) -> Restoration:
    begin(conn, watch.limits)
    parts = known_parts(conn, snapshot_id)
    keeping = Keeping(conn, release_id=_taken_back(conn, snapshot_id), actor=actor, emit=watch.emit)
    keeping.look()
    added = added_columns(conn, snapshot_id) if undo else Added()
    wanted = Cover(columns={place: {*names} for place, names in added.written.items()})
    wanted.add(cover)
    keeping.before(wanted)
    empty = {place: {*names} for place, names in added.empty.items()}

    def run(text: str) -> None:
        for statement in split(Script("restore.sql", text)):
            for place, names in emptied_by(conn, statement).items():
                empty.setdefault(place, set()).update(names)
            if not keeping.instead(statement):
                conn.execute(statement.sql.encode())

    done = take_back_inside(
        conn, snapshot_id, parts, added_goes=undo, emit=watch.emit, go_on=watch.stop_if_cancelled, run=run
    )
    for place, names in done.carried.items():
        empty.setdefault(place, set()).update(names)
    if missing := keeping.gone(empty):
        raise Uncovered(missing)
    result = Restoration.of(snapshot_id, done, undo=undo)
    if keeping.holds:
        kept = keeping.after(catalog_fingerprint(conn).digest)
        result.kept_snapshot_id, result.parked = kept.snapshot_id, kept.parked
    else:
        keeping.forget()
    note_restored(conn, snapshot_id)
    watch.stop_if_cancelled()
    conn.execute("COMMIT")
    if keeping.holds:
        settle_or_tell(conn, watch.emit)
    return result


def _taken_back(conn: psycopg.Connection[Any], snapshot_id: str) -> str:
    """What a snapshot of what goes now is filed under: no release's own name, by which its rollback would find it."""
    row = conn.execute("SELECT release_id FROM ops.snapshots WHERE id = %s", (snapshot_id,)).fetchone()
    return f"restore of {row[0]}" if row else "restore"

"""AI calls that may leave a usage row when we have gone: noted in our own schema beforehand, settled later."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row, tuple_row

from apps.pulsecheck.probe_rows import ProbeRows, Row, SqlRows, relation_exists
from services.checks.context import MARK
from services.database.deployment.receipts import make_schema, revoke_all
from services.errors import Refused

LATE_S = 180  # a row that comes later than this after the call is not waited for
ON_THE_WAY_S = 5  # the app may have looked up other things before it made the call that we had given up
IN_FLIGHT_S = 30  # of a run that died nobody knows when it gave up: its calls began within this time
MAKING_KEY = 7_203_115  # of pg_advisory_xact_lock
_MAKE = """
CREATE TABLE IF NOT EXISTS ops.late_calls (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, marker text NOT NULL, user_id text NOT NULL,
  calls integer NOT NULL, asked_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), gave_up_at timestamptz
)"""


def note(rows: ProbeRows, marker: str, user_id: str, calls: int) -> int | None:
    """Before the calls are made: how many, and for whom. The note's id; None where we may own no schema there."""
    if not isinstance(rows, SqlRows) or not rows.has("ai_usage_logs"):
        return None
    try:
        with rows.conn.transaction():
            if not _is_there(rows):
                _make(rows.conn)
            noted = rows.conn.execute(
                "insert into ops.late_calls (marker, user_id, calls) values (%s, %s, %s) returning id",
                (marker, user_id, calls),
            ).fetchone()
    except (psycopg.errors.InsufficientPrivilege, Refused):
        return None
    return int(noted["id"]) if noted else None


def _make(conn: psycopg.Connection[Row]) -> None:
    plain: psycopg.Connection[Any] = conn
    plain.row_factory = tuple_row
    try:
        # Two probes of a run may find it missing at once.
        plain.execute("select pg_advisory_xact_lock(%s)", (MAKING_KEY,))
        make_schema(plain)
        plain.execute(_MAKE)
        revoke_all(plain)
    finally:
        plain.row_factory = dict_row


def settle(rows: ProbeRows, noted: int | None, late: int) -> None:
    """After the calls: those of the note are done with, but for `late` ones which nobody has answered."""
    if noted is None or not isinstance(rows, SqlRows):
        return
    if late == 0:
        rows.conn.execute("delete from ops.late_calls where id = %s", (noted,))
        return
    rows.conn.execute(
        "update ops.late_calls set calls = least(calls, %s), gave_up_at = clock_timestamp() where id = %s",
        (late, noted),
    )


def collect(rows: ProbeRows) -> int:
    """Remove the usage rows that late calls have left since; returns how many.

    A row counts as one of ours where its call was under way when we gave up, nobody else wrote for the same user
    meanwhile, and there are no more of them than calls we made. Where that is not so, the rows stay.
    """
    if not isinstance(rows, SqlRows) or not _is_there(rows) or not rows.has("ai_usage_logs"):
        return 0
    removed = 0
    for debt in rows.conn.execute("select * from ops.late_calls order by id").fetchall():
        found = rows.conn.execute(
            "select id from public.ai_usage_logs as log where log.user_id::text = %(user_id)s"
            " and log.created_at >= coalesce(%(gave_up_at)s, %(asked_at)s)"
            " and log.created_at < %(asked_at)s + make_interval(secs => %(late)s)"
            " and log.created_at - make_interval(secs => coalesce(log.response_time_ms, 0) / 1000.0)"
            "     < coalesce(%(gave_up_at)s + make_interval(secs => %(on_the_way)s),"
            "                %(asked_at)s + make_interval(secs => %(in_flight)s))"
            " and log.error_message is distinct from %(marker)s"
            " and not exists (select 1 from public.journal_entries as entry"
            "   where entry.user_id::text = %(user_id)s and entry.created_at >= %(asked_at)s"
            "   and entry.created_at < log.created_at and entry.content not like %(marked)s)",
            {**debt, "late": LATE_S, "on_the_way": ON_THE_WAY_S, "in_flight": IN_FLIGHT_S, "marked": f"%{MARK}%"},
        ).fetchall()
        ours = [row["id"] for row in found] if len(found) <= debt["calls"] else []
        rows.conn.execute("delete from public.ai_usage_logs where id = any(%s)", (ours,))
        removed += len(ours)
        rows.conn.execute(
            "delete from ops.late_calls where id = %s and (calls <= %s"
            " or asked_at < clock_timestamp() - make_interval(secs => %s))",
            (debt["id"], len(ours), LATE_S),
        )
        rows.conn.execute("update ops.late_calls set calls = calls - %s where id = %s", (len(ours), debt["id"]))
    return removed


def _is_there(rows: SqlRows) -> bool:
    found = rows.conn.execute("select to_regclass('ops.late_calls') is not null as there").fetchone()
    return bool(found and found["there"]) and relation_exists(rows.conn, "journal_entries")

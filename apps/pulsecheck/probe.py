"""Marked test rows in a real PulseCheck: written through its API, found in its database, removed without a trace."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from apps.pulsecheck.client import Entry, PulseCheck, one_object
from services.checks.context import MARK, CheckContext, NotTried
from services.clients.http import Answer
from services.errors import Unavailable

LOCK_KEY = 7_203_114  # of pg_advisory_lock: one prober at a time per database
LEFT_BEHIND_S = 20  # an AI call belongs to an entry that a dead run left, if it follows within this time
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """An entry that the API says it has written."""

    id: str
    user_id: str
    answer: Answer


class Probe:
    """What one check wrote, so that exactly that is removed. Used inside `probing`; safe to write from two threads."""

    def __init__(self, context: CheckContext, api: PulseCheck, conn: psycopg.Connection[Row]) -> None:
        self.context = context
        self.api = api
        self.conn = conn
        self.entry_ids: list[str] = []
        self.ai_calls = 0
        self.ai_times_ms: list[int] = []
        self._logs_before: dict[str, frozenset[str]] = {}
        self._counters_before: dict[str, tuple[list[Row], list[Row]]] = {}
        self._lock = threading.Lock()
        self.has_log = relation_exists(conn, "ai_usage_logs")
        self.has_feedback = relation_exists(conn, "ai_feedback")
        self.has_quotas = relation_exists(conn, "daily_usage_quotas")

    def write_entry(self, mood: int, energy: int, stress: int, words: str) -> Answer | Written:
        """Write a marked entry through the API; the bare answer where it was not accepted."""
        entry = Entry(f"{words} [{self.context.marker}]", mood, energy, stress, tags=("ops-probe",))
        answer = self.api.create_entry(entry)
        if answer.status not in (200, 201):
            return answer
        body = one_object(answer)
        written = Written(str(body.get("id")), str(body.get("user_id")), answer)
        with self._lock:
            self.entry_ids.append(written.id)
            self.remember(written.user_id)
        return written

    def remember(self, user_id: str) -> None:
        """Keep what stands about a caller now, before something of ours counts against them; once per caller."""
        if user_id in self._counters_before:
            return
        quotas: list[Row] = []
        if self.has_quotas:
            quotas = self.rows("select * from public.daily_usage_quotas where user_id::text = %s", user_id)
        self._counters_before[user_id] = (quotas, self._user_counters(user_id))
        self._logs_before[user_id] = self._log_ids(user_id)

    def new_log_rows(self, user_id: str) -> list[Row]:
        """Rows that the app has added to ai_usage_logs for the caller since `remember`, oldest first."""
        if not self.has_log:
            return []
        known = self._logs_before.get(user_id, frozenset())
        found = self.rows(
            "select * from public.ai_usage_logs where user_id::text = %s and created_at > now() - interval '1 hour'"
            " order by created_at",
            user_id,
        )
        marker = self.context.marker
        return [row for row in found if str(row["id"]) not in known and row["error_message"] != marker]

    def pulse(self, entry_id: str) -> Answer:
        """Ask the companion about an entry; counted, since each call leaves a row in the usage log."""
        with self._lock:
            self.ai_calls += 1
        answer = self.api.pulse(entry_id)
        if answer.ok:
            took = one_object(answer).get("response_time_ms")
            if isinstance(took, int):
                self.ai_times_ms.append(took)
        return answer

    def own_log_rows(self, user_id: str) -> list[Row]:
        """The new log rows that our calls caused. A build without sign-in has one user for everybody: where there are
        more new rows than we made calls, only those with the response time of our answers are ours."""
        found = self.new_log_rows(user_id)
        if len(found) <= self.ai_calls:
            return found
        return [row for row in found if row.get("response_time_ms") in self.ai_times_ms][: self.ai_calls]

    def rows(self, sql: str, *values: object) -> list[Row]:
        return self.conn.execute(sql.encode(), values or None).fetchall()

    def insert_log_rows(self, user_id: str, count: int, *, tokens: int, cost_usd: str, success: bool = True) -> None:
        """Usage rows of our own, marked in error_message."""
        self.conn.execute(
            "insert into public.ai_usage_logs (user_id, prompt_tokens, response_tokens, total_tokens, model_used,"
            " response_time_ms, confidence_score, cost_usd, context_type, success, error_message)"
            " select %s, %s, 0, %s, 'ops-probe', 100, 0.9, %s::numeric, 'ops-probe', %s, %s"
            " from generate_series(1, %s)",
            (user_id, tokens, tokens, cost_usd, success, self.context.marker, count),
        )

    def remove(self) -> None:
        """Delete what was written and put the counters back; raises Unavailable where something is left."""
        with self.conn.transaction():
            ours = f"%{self.context.marker}%"
            if self.has_feedback:
                self.conn.execute(
                    "delete from public.ai_feedback where journal_entry_id = any(%s::uuid[]) or feedback_text like %s",
                    (self.entry_ids, ours),
                )
            if self.has_log:
                for user_id in self._counters_before:
                    ids = [str(row["id"]) for row in self.own_log_rows(user_id)]
                    self.conn.execute("delete from public.ai_usage_logs where id = any(%s::uuid[])", (ids,))
                self.conn.execute("delete from public.ai_usage_logs where error_message like %s", (ours,))
            self.conn.execute(
                "delete from public.journal_entries where id = any(%s::uuid[]) or content like %s",
                (self.entry_ids, ours),
            )
            if self.has_quotas:
                self.conn.execute("delete from public.daily_usage_quotas where user_id::text like %s", (ours,))
            for user_id, (quotas, users) in self._counters_before.items():
                self._restore_quotas(user_id, quotas)
                self._restore_users(users)
        left = self.rows("select count(*) as n from public.journal_entries where content like %s", ours)[0]["n"]
        if left:
            raise Unavailable(
                f"{left} marked entries could not be removed.",
                "Test data is left in the target.",
                f"Delete the journal entries whose content holds {self.context.marker}.",
            )

    def _log_ids(self, user_id: str) -> frozenset[str]:
        if not self.has_log:
            return frozenset()
        found = self.rows(
            "select id from public.ai_usage_logs where user_id::text = %s and created_at > now() - interval '1 hour'",
            user_id,
        )
        return frozenset(str(row["id"]) for row in found)

    def _user_counters(self, user_id: str) -> list[Row]:
        if not column_exists(self.conn, "users", "daily_ai_usage"):
            return []
        return self.rows(
            "select id, daily_ai_usage, daily_usage_reset_at from public.users"
            " where id::text = %s or email = %s or email like %s",
            user_id,
            user_id,
            f"{user_id}@%",
        )

    def _restore_quotas(self, user_id: str, before: Sequence[Row]) -> None:
        """The trigger subtracts what is deleted; what it cannot give back is the time of the last change, and how many
        digits the cost was written with."""
        for row in before:
            self.conn.execute(
                "update public.daily_usage_quotas set updated_at = %(updated_at)s, cost_usd = %(cost_usd)s"
                " where user_id = %(user_id)s and usage_date = %(usage_date)s and requests_used = %(requests_used)s"
                " and tokens_used = %(tokens_used)s and cost_usd = %(cost_usd)s",
                row,
            )

    def _restore_users(self, before: Sequence[Row]) -> None:
        for row in before:
            self.conn.execute(
                "update public.users set daily_ai_usage = %(daily_ai_usage)s,"
                " daily_usage_reset_at = %(daily_usage_reset_at)s where id = %(id)s and"
                " (daily_ai_usage, daily_usage_reset_at)"
                " is distinct from (%(daily_ai_usage)s, %(daily_usage_reset_at)s::timestamptz)",
                row,
            )


@contextmanager
def probing(context: CheckContext) -> Iterator[Probe]:
    """A probe whose rows are gone when the block is left, however it is left. Raises Unavailable and writes nothing
    where our rights do not allow us to remove what we would write."""
    require_alive(context)
    with context.database(as_owner=True, read_only=False, deadline_s=8.0) as plain:
        conn: psycopg.Connection[Row] = plain
        conn.row_factory = dict_row
        _require_rights(conn)
        _take_lock(conn)
        sweep(conn, context.marker)
        probe = Probe(context, api_of(context), conn)
        try:
            yield probe
        finally:
            probe.remove()


def api_of(context: CheckContext) -> PulseCheck:
    """The run's one client of the app. Raises Unavailable where the target has no address for it."""

    def make() -> PulseCheck:
        if context.target.app_url is None:
            raise Unavailable(f"{context.target.name} has no address of the app.", do="Set app_url.")
        return PulseCheck(context.target.app_url)

    return context.once("client:pulsecheck", make)


def require_alive(context: CheckContext) -> Answer:
    """One cheap call before many dear ones: an app that hangs is found out once, not by every check."""
    return context.once("app-alive", lambda: api_of(context).health(nonce=context.marker))


def relation_exists(conn: psycopg.Connection[Any], name: str) -> bool:
    row = conn.cursor(row_factory=dict_row).execute("select to_regclass(%s) is not null as there", (f"public.{name}",))
    found = row.fetchone()
    return bool(found and found["there"])


def column_exists(conn: psycopg.Connection[Any], table: str, column: str) -> bool:
    found = (
        conn.cursor(row_factory=dict_row)
        .execute(
            "select 1 as one from information_schema.columns"
            " where table_schema = 'public' and table_name = %s and column_name = %s",
            (table, column),
        )
        .fetchone()
    )
    return found is not None


def sweep(conn: psycopg.Connection[Row], current: str) -> None:
    """Remove what a run that died has left: marked rows of any other marker, and the AI calls that followed them."""
    with conn.transaction():
        marked, mine = f"%{MARK}%", f"%{current}%"
        left = conn.execute(
            "select id, user_id::text as user_id, created_at from public.journal_entries"
            " where content like %s and content not like %s",
            (marked, mine),
        ).fetchall()
        ids = [str(row["id"]) for row in left]
        if relation_exists(conn, "ai_feedback"):
            conn.execute(
                "delete from public.ai_feedback where journal_entry_id = any(%s::uuid[])"
                " or (feedback_text like %s and feedback_text not like %s)",
                (ids, marked, mine),
            )
        if relation_exists(conn, "ai_usage_logs"):
            conn.execute(
                "delete from public.ai_usage_logs where error_message like %s and error_message not like %s",
                (marked, mine),
            )
            for row in left:
                _sweep_calls(conn, row)
        if ids:
            conn.execute("delete from public.journal_entries where id = any(%s::uuid[])", (ids,))


def _sweep_calls(conn: psycopg.Connection[Row], entry: Row) -> None:
    """AI calls of the caller just after a left entry are its own, unless somebody else wrote in that time too."""
    window = (entry["user_id"], entry["created_at"], entry["created_at"], LEFT_BEHIND_S)
    others = conn.execute(
        "select count(*) as n from public.journal_entries where user_id::text = %s and created_at >= %s"
        " and created_at < %s + make_interval(secs => %s) and content not like %s",
        (*window, f"%{MARK}%"),
    ).fetchone()
    if others is not None and others["n"] == 0:
        conn.execute(
            "delete from public.ai_usage_logs where user_id::text = %s and created_at >= %s"
            " and created_at < %s + make_interval(secs => %s)",
            window,
        )


def _require_rights(conn: psycopg.Connection[Row]) -> None:
    row = conn.execute(
        "select to_regclass('public.journal_entries') is not null"
        " and has_table_privilege(current_user, 'public.journal_entries', 'DELETE') as may"
    ).fetchone()
    if row is None or not row["may"]:
        raise NotTried(
            "Nothing was written: the database role of this target may not delete journal entries.",
            "Test data could not be removed again.",
            "Give the target a database address whose role may delete, or leave this check out.",
        )


def _take_lock(conn: psycopg.Connection[Row]) -> None:
    conn.execute("set lock_timeout = '6s'")
    try:
        conn.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
    except psycopg.errors.LockNotAvailable:
        raise NotTried("Another run is writing test data to this target.", do="Try again in a moment.") from None

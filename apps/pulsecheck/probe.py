"""Marked test rows in a real PulseCheck: written through its API, found in its database, removed without a trace."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from apps.pulsecheck import late_calls
from apps.pulsecheck.callers import Purpose, account_for, api_of, asks_for_token, require_alive, signed_in
from apps.pulsecheck.client import Entry, PulseCheck, one_object
from apps.pulsecheck.probe_rows import (
    ProbeRows,
    Row,
    Where,
    column_exists,
    equal,
    opened_rows,
    relation_exists,
)
from apps.pulsecheck.probe_turns import account_turn, ai_turn
from apps.pulsecheck.sweep import moment, sweep
from services.checks.context import CheckContext, NotTried
from services.checks.kinds import answered
from services.checks.side_by_side import AT_ONCE, side_by_side
from services.clients.http import Answer, UpstreamError
from services.errors import Unavailable
from services.settings import ProbeAccount
from services.verdict import Finding, Verdict

__all__ = ["Lost", "OtherDatabase", "Probe", "Row", "Written", "column_exists", "probing", "relation_exists"]

LOGGED_WITHIN_S = 2.0  # a build may write its usage log just after it has answered
LOOK_AGAIN_S = 0.1
NEWEST = 3


class OtherDatabase(NotTried):
    """The app reads another database than the one we look at: what it would write could not be removed."""


@dataclass(frozen=True, slots=True)
class Written:
    """An entry that the API says it has written."""

    id: str
    user_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Lost:
    """A write whose reply did not come or was not understood. stored: whether its row stands in the database."""

    error: UpstreamError
    stored: bool

    def finding(self, what: str) -> Finding:
        """Unknown, with what became of the write."""
        became = "is stored, the reply was lost" if self.stored else "is not in the database"
        facts = {"kind": self.error.kind.value, "status": self.error.status, "stored": int(self.stored)}
        facts |= {"reply_lost": self.stored, "removed": True}
        return Finding(Verdict.UNKNOWN, f"{what} {became}: {self.error.what}", facts)


@dataclass(frozen=True, slots=True)
class NotStored:
    """An entry that the API says it has written, and that is not in the database."""

    answer: Answer


Outcome = Written | Answer | Lost
Words = tuple[int, int, int, str]  # mood, energy and stress (1..10), and what the entry says


def not_written(outcome: Answer | Lost | NotStored, what: str) -> Finding:
    """The finding of a check that needed an entry and did not get one: unknown, since nothing could be asked about."""
    if isinstance(outcome, Lost):
        finding = outcome.finding(what)
    elif isinstance(outcome, NotStored):
        status = outcome.answer.status
        said = f"Nothing could be tried: {what[0].lower()}{what[1:]} was answered {status} and is not in the database."
        finding = Finding(Verdict.UNKNOWN, said, {"status": status, "stored": 0})
    else:
        refused = answered(outcome, what)
        said = f"Nothing could be tried, since no entry could be written. {refused.summary}"
        finding = Finding(Verdict.UNKNOWN, said, refused.facts, outcome.body)
    # The status is that of the entry, and not of what the check is about.
    facts = {"entry_status" if name == "status" else name: value for name, value in finding.facts.items()}
    return Finding(finding.verdict, finding.summary, facts, finding.raw)


class Probe:
    """What one check wrote, so that exactly that is removed. Used inside `probing`; safe to write from many threads.

    own_account: the caller is a test account of ours, and not one user for everybody
    mark: what marks the rows of this probe; it begins with the marker of the run
    """

    def __init__(self, context: CheckContext, api: PulseCheck, rows: ProbeRows, own_account: bool) -> None:
        self.context = context
        self.api = api
        self.rows = rows
        self.own_account = own_account
        self.mark = f"{context.marker}-{secrets.token_hex(3)}"
        self.entry_ids: list[str] = []
        self.ai_calls = 0
        self.ai_heard = 0
        self.ai_times_ms: list[int] = []
        self._noted: int | None = None
        self._marked_users: set[str] = set()
        self._logs_before: dict[str, frozenset[str]] = {}
        self._counters_before: dict[str, tuple[list[Row], list[Row]]] = {}
        self._turns = ExitStack()
        self._lock = threading.Lock()
        self.has_log = rows.has("ai_usage_logs")
        self.has_feedback = rows.has("ai_feedback")
        self.has_quotas = rows.has("daily_usage_quotas")

    def content(self, words: str) -> str:
        """The words as an entry holds them, with this probe's mark."""
        return f"{words} [{self.mark}]"

    def write_entry(self, mood: int, energy: int, stress: int, words: str) -> Outcome:
        """Write a marked entry through the API; the bare answer where it was not accepted."""
        content = self.content(words)
        entry = Entry(content, mood, energy, stress, tags=("ops-probe",))
        try:
            answer = self.api.create_entry(entry)
            if answer.status not in (200, 201):
                return answer
            body = one_object(answer)
        except UpstreamError as error:
            return Lost(error, bool(self.rows.count("journal_entries", equal("content", content))))
        written = Written(str(body.get("id")), str(body.get("user_id")), answer)
        with self._lock:
            self.entry_ids.append(written.id)
        return written

    def write_entries(
        self, words: Sequence[Words], *, at_once: int = AT_ONCE
    ) -> list[Written] | Answer | Lost | NotStored:
        """Write entries to ask about: the first alone, the others side by side once it stands in the database. What was
        met instead of the first that failed, otherwise."""
        first = self.write_entry(*words[0])
        if isinstance(first, Written) and not self.rows.count(
            "journal_entries", equal("content", self.content(words[0][3]))
        ):
            # What goes elsewhere could not be removed again: no more of it is written.
            return NotStored(first.answer)
        rest = [partial(self.write_entry, *one) for one in words[1:]] if isinstance(first, Written) else []
        outcomes = [first, *side_by_side(rest, at_once=at_once)]
        failed = [one for one in outcomes if not isinstance(one, Written)]
        return failed[0] if failed else [one for one in outcomes if isinstance(one, Written)]

    def _remember(self, user_id: str) -> None:
        """Keep what stands about a caller now, before something of ours counts against them."""
        quotas = self.rows.select("daily_usage_quotas", equal("user_id", user_id)) if self.has_quotas else []
        self._counters_before[user_id] = (quotas, self._user_counters(user_id))
        self._logs_before[user_id] = frozenset(str(row["id"]) for row in self._log_rows(user_id))

    def will_ask(self, user_id: str, calls: int) -> None:
        """Say, once and before the first, that so many AI calls will be made for a caller. From here to the end of the
        probe nobody else of this run asks for the same one: whatever new the log holds of them is ours. The calls are
        noted, so that, should we die or give up, the next run finds their rows."""
        self._turns.enter_context(ai_turn(self.context, user_id))
        self._remember(user_id)
        self._noted = late_calls.note(self.rows, self.mark, user_id, calls)

    def pulse(self, entry_id: str) -> Answer:
        """Ask the companion about an entry; counted, since each call leaves a row in the usage log."""
        answer = self._asked(lambda: self.api.pulse(entry_id))
        if answer.ok:
            took = one_object(answer).get("response_time_ms")
            if isinstance(took, int):
                with self._lock:
                    self.ai_times_ms.append(took)
        return answer

    def analysis(self, entry_id: str) -> Answer:
        """Ask for the analysis of an entry; an AI call like any other."""
        return self._asked(lambda: self.api.analysis(entry_id))

    def _asked(self, call: Callable[[], Answer]) -> Answer:
        """The answer of an AI call. One that ends without any may leave its usage row later."""
        with self._lock:
            self.ai_calls += 1
        answer = call()
        with self._lock:
            self.ai_heard += 1
        return answer

    def new_log_rows(self, user_id: str) -> list[Row]:
        """Rows that the app has added to ai_usage_logs for the caller since `will_ask`, oldest first."""
        known = self._logs_before.get(user_id, frozenset())
        found = [one for one in self._log_rows(user_id) if str(one["id"]) not in known]
        asked = [one for one in found if not str(one["error_message"]).startswith(self.context.marker)]
        return sorted(asked, key=lambda one: moment(one["created_at"]))

    def own_log_rows(self, user_id: str) -> list[Row]:
        """The new log rows that our calls caused. A build without sign-in has one user for everybody: where there are
        more new rows than we made calls, only those with the response time of our answers are ours."""
        found = self.new_log_rows(user_id)
        if self.own_account or len(found) <= self.ai_calls:
            return found
        return [row for row in found if row.get("response_time_ms") in self.ai_times_ms][: self.ai_calls]

    def awaited_log_rows(self, user_id: str, calls: int) -> list[Row]:
        """Our rows in the usage log, when there are `calls` of them or the time to write them is over."""
        until = time.monotonic() + LOGGED_WITHIN_S
        while True:
            found = self.own_log_rows(user_id)
            if len(found) >= calls or not self.has_log or time.monotonic() > until:
                return found
            time.sleep(LOOK_AGAIN_S)

    def insert_log_rows(self, user_id: str, count: int, *, tokens: int, cost_usd: str, success: bool = True) -> None:
        """Usage rows of our own, marked in error_message, of a user that is nobody but us."""
        self._marked_users.add(user_id)
        row: Mapping[str, Any] = {
            "user_id": user_id,
            "prompt_tokens": tokens,
            "response_tokens": 0,
            "total_tokens": tokens,
            "model_used": "ops-probe",
            "response_time_ms": 100,
            "confidence_score": 0.9,
            "cost_usd": cost_usd,
            "context_type": "ops-probe",
            "success": success,
            "error_message": self.mark,
        }
        self.rows.insert("ai_usage_logs", [row] * count)

    def end(self) -> None:
        """Remove what was written, then let the next probe ask."""
        with self._turns:
            self.remove()

    def remove(self) -> None:
        """Delete what was written and put the counters back; raises Unavailable where something is left."""
        marked = Where("content", "like", f"%{self.mark}%")
        with self.rows.together():
            if self.has_feedback:
                self.rows.delete("ai_feedback", Where("feedback_text", "like", f"%{self.mark}%"))
                self._delete("ai_feedback", "journal_entry_id", self.entry_ids)
            if self.has_log:
                for user_id in self._counters_before:
                    self._delete("ai_usage_logs", "id", [str(row["id"]) for row in self.own_log_rows(user_id)])
                self.rows.delete("ai_usage_logs", Where("error_message", "like", f"%{self.mark}%"))
            self._delete("journal_entries", "id", self.entry_ids)
            self.rows.delete("journal_entries", marked)
            for user_id in self._marked_users if self.has_quotas else ():
                self.rows.delete("daily_usage_quotas", equal("user_id", user_id))
            for quotas, users in self._counters_before.values():
                self._restore_quotas(quotas)
                self._restore_users(users)
            late_calls.settle(self.rows, self._noted, self.ai_calls - self.ai_heard)
        left = self.rows.count("journal_entries", marked)
        if left:
            raise Unavailable(
                f"{left} marked entries could not be removed.",
                "Test data is left in the target.",
                f"Delete the journal entries whose content holds {self.mark}.",
            )

    def _delete(self, table: str, column: str, values: Sequence[str]) -> None:
        known = [value for value in values if _is_uuid(value)]
        if known:
            self.rows.delete(table, Where(column, "in", known))

    def _log_rows(self, user_id: str) -> list[Row]:
        if not self.has_log:
            return []
        since = (self.context.now - timedelta(hours=1)).isoformat()
        return self.rows.select("ai_usage_logs", equal("user_id", user_id), Where("created_at", "gte", since))

    def _user_counters(self, user_id: str) -> list[Row]:
        if not self.rows.has("users", "daily_ai_usage"):
            return []
        # As they stood before the first call of this run: probes that run together would keep each other's counts.
        return self.context.once(f"counters:{user_id}", lambda: people_called(self.rows, user_id))

    def _restore_quotas(self, before: Sequence[Row]) -> None:
        """The trigger subtracts what is deleted; what it cannot give back is the time of the last change, and how many
        digits the cost was written with."""
        for row in before:
            same = ("user_id", "usage_date", "requests_used", "tokens_used", "cost_usd")
            changed = {name: row[name] for name in ("updated_at", "cost_usd")}
            self.rows.update("daily_usage_quotas", changed, *(equal(name, row[name]) for name in same))

    def _restore_users(self, before: Sequence[Row]) -> None:
        names = ("daily_ai_usage", "daily_usage_reset_at")
        for row in before:
            now = self.rows.select("users", equal("id", row["id"]))
            if now and any(now[0][name] != row[name] for name in names):
                self.rows.update("users", {name: row[name] for name in names}, equal("id", row["id"]))


def people_called(rows: ProbeRows, user_id: str) -> list[Row]:
    """The users that a caller's name may stand for: by id, by e-mail address, or by the part before its @."""
    ways = [equal("email", user_id), Where("email", "like", f"{user_id}@%")]
    if _is_uuid(user_id):
        ways = [equal("id", user_id)]
    found = {str(row["id"]): row for way in ways for row in rows.select("users", way)}
    return list(found.values())


@contextmanager
def probing(context: CheckContext, purpose: Purpose = "probe") -> Iterator[Probe]:
    """A probe whose rows are gone when the block is left, however it is left. Raises Unavailable and writes nothing
    where our rights do not allow us to remove what we would write, or where the app lives on another database."""
    require_alive(context)
    api = api_of(context, purpose)
    own = asks_for_token(context)
    account = account_for(context, purpose) if own else None
    with account_turn(context, account.purpose if account else None), opened_rows(context) as rows:
        _sweep_once(context, rows, account)
        _require_same_database(context, api, rows)
        probe = Probe(context, api, rows, own)
        try:
            yield probe
        finally:
            probe.end()


def _sweep_once(context: CheckContext, rows: ProbeRows, account: ProbeAccount | None) -> None:
    """Take away what earlier runs have left, before the first probe of this run, or of this account, writes."""
    context.once("late-calls-collected", lambda: late_calls.collect(rows))
    own_users = [signed_in(context, account).user_id] if account else []
    whose = account.purpose if account else "everybody"
    context.once(f"swept:{whose}", lambda: sweep(rows, context.marker, context.now, own_users))


def newest_entries(context: CheckContext, api: PulseCheck) -> Answer:
    """The caller's newest entries, asked for once a run."""
    return context.once(f"newest-entries:{id(api)}", lambda: api.entries(per_page=NEWEST))


def _require_same_database(context: CheckContext, api: PulseCheck, rows: ProbeRows) -> None:
    """Raises OtherDatabase where none of the entries that the app lists stands in the database we look at."""
    try:
        answer = newest_entries(context, api)
        listed = one_object(answer).get("entries") if answer.ok else None
    except UpstreamError:
        return
    ids = [str(one.get("id")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    known = [value for value in ids if _is_uuid(value)]
    if known and not context.once(
        f"same-database:{id(api)}", lambda: bool(rows.count("journal_entries", Where("id", "in", known)))
    ):
        raise OtherDatabase(
            "The app reads another database than this target's: the entries that it lists are not there.",
            "Nothing was written, since it could not be removed again.",
            "Compare SUPABASE_URL of the app with the target's project.",
        )


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True

"""Knows who keeps a waiting session waiting: process, user, application, query without its values, age, lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.database.psql_cutter import TokenKind, tokens
from services.database.rehearsal.measure import LOCK_MODES

_MOST_OF_A_QUERY = 300

BLOCKERS_SQL = """
SELECT b.pid, a.usename, a.application_name, a.state, a.query,
       pg_catalog.round(EXTRACT(epoch FROM pg_catalog.clock_timestamp() - COALESCE(a.xact_start, a.query_start)), 1),
       held.mode, CASE WHEN c.oid IS NOT NULL THEN n.nspname || '.' || c.relname END
FROM pg_catalog.pg_stat_activity me
CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(me.pid)) AS b (pid)
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
LEFT JOIN LATERAL (SELECT * FROM pg_catalog.pg_locks WHERE pid = me.pid AND NOT granted LIMIT 1) w ON true
LEFT JOIN LATERAL (
  SELECT pg_catalog.string_agg(h.mode, ',') AS mode FROM pg_catalog.pg_locks h
  WHERE h.pid = b.pid AND h.granted AND h.locktype = w.locktype AND h.database IS NOT DISTINCT FROM w.database
    AND h.relation IS NOT DISTINCT FROM w.relation AND h.virtualxid IS NOT DISTINCT FROM w.virtualxid
    AND h.transactionid IS NOT DISTINCT FROM w.transactionid AND h.objid IS NOT DISTINCT FROM w.objid
) held ON true
LEFT JOIN pg_catalog.pg_class c ON c.oid = w.relation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE me.pid = {pid} AND me.wait_event_type = 'Lock' AND b.pid <> pg_catalog.pg_backend_pid();
"""
"""Gives no row while the session does not wait for a lock: what it costs then is one look at the activity.

Who looks is never named: a command that runs CONCURRENTLY waits for every older snapshot, also for that of the look.
"""


@dataclass(frozen=True, slots=True)
class Blocker:
    """One session that keeps ours waiting.

    pid 0 is a prepared transaction. age_s: seconds its transaction lasts. query: its newest statement, every value
    replaced by "?"; None where the server does not show it to us. mode: what it holds of what we want; None while it
    only stands in the queue before us. relation: the table or index that we want, None for another kind of lock.
    """

    pid: int
    user: str | None
    application: str | None
    state: str | None
    query: str | None
    age_s: float | None
    mode: str | None
    relation: str | None

    @classmethod
    def of(cls, row: Sequence[str | None]) -> Blocker:
        """A row of BLOCKERS_SQL, as the text that the server sends."""
        pid, user, application, state, query, age, modes, relation = row
        held = [mode for mode in (modes or "").split(",") if mode in LOCK_MODES]
        return cls(
            int(pid or 0),
            user,
            application or None,
            state,
            without_values(query) if query and state else None,
            float(age) if age else None,
            max(held, key=LOCK_MODES.index) if held else None,
            relation,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "user": self.user,
            "application": self.application,
            "state": self.state,
            "query": self.query,
            "age_s": self.age_s,
            "mode": self.mode,
            "relation": self.relation,
        }

    def sentence(self) -> str:
        who = f"process {self.pid}" if self.pid else "a prepared transaction"
        known = [f"user {self.user}" if self.user else "", self.application or "", self.state or ""]
        about = ", ".join(part for part in known if part)
        since = f" since {self.age_s:.0f} s" if self.age_s is not None else ""
        holds = f" holds {self.mode}" if self.mode else " waits before us"
        on = f" on {self.relation}" if self.relation else ""
        return f"{who}{f' ({about}{since})' if about else ''}{holds}{on}"


def told(blocker: Blocker, place: Mapping[str, Any]) -> dict[str, Any]:
    """The event's payload: the blocker, and the file and line of the statement that waits."""
    return {**blocker.to_json(), "file": place.get("file"), "line": place.get("line")}


def without_values(query: str) -> str:
    """A query with every quoted value and number replaced by "?" and without comments: no person's data is left.

    Works on a query that the server cut off in the middle, too.
    """
    raw = query.encode()
    parts: list[str] = []
    for token in tokens(raw):
        text = raw[token.start : token.end].decode(errors="replace")
        name = text.startswith('"') and token.closed
        value = token.kind is TokenKind.QUOTED or (token.kind is TokenKind.OTHER and text[0].isdigit())
        blank = token.kind in (TokenKind.BLANK, TokenKind.COMMENT)
        parts.append(" " if blank else "?" if value and not name else text)
    return " ".join("".join(parts).split())[:_MOST_OF_A_QUERY]

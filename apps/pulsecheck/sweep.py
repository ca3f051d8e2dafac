"""What a run that died has left in a target, and how it is taken away by the next one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from apps.pulsecheck.probe_rows import ProbeRows, Row, Where, equal
from services.checks.context import MARK

LEFT_BEHIND_S = 20  # an AI call belongs to an entry that a dead run left, if it follows within this time
OWN_ROWS_FOR = timedelta(days=1)  # usage rows of test accounts, which only our probes make, are swept this far back


def sweep(rows: ProbeRows, current: str, now: datetime, own_users: Iterable[str] = ()) -> None:
    """Remove marked rows of any marker but `current`, and the AI calls that followed them.

    own_users: test accounts of ours, whose usage rows are all left by probes.
    """
    with rows.together():
        marked, mine = f"%{MARK}%", f"%{current}%"
        left = rows.select(
            "journal_entries", Where("content", "like", marked), Where("content", "unlike", mine), limit=500
        )
        ids = [str(row["id"]) for row in left]
        if rows.has("ai_feedback"):
            rows.delete("ai_feedback", Where("feedback_text", "like", marked), Where("feedback_text", "unlike", mine))
            if ids:
                rows.delete("ai_feedback", Where("journal_entry_id", "in", ids))
        if rows.has("ai_usage_logs"):
            rows.delete("ai_usage_logs", Where("error_message", "like", marked), Where("error_message", "unlike", mine))
            for row in left:
                _sweep_calls(rows, row)
            for user_id in own_users:
                since = (now - OWN_ROWS_FOR).isoformat()
                rows.delete("ai_usage_logs", equal("user_id", user_id), Where("created_at", "gte", since))
        if ids:
            rows.delete("journal_entries", Where("id", "in", ids))


def _sweep_calls(rows: ProbeRows, entry: Row) -> None:
    """AI calls of the caller just after a left entry are its own, unless somebody else wrote in that time too."""
    written = moment(entry["created_at"])
    window = (
        equal("user_id", entry["user_id"]),
        Where("created_at", "gte", written.isoformat()),
        Where("created_at", "lt", (written + timedelta(seconds=LEFT_BEHIND_S)).isoformat()),
    )
    if rows.count("journal_entries", *window, Where("content", "unlike", f"%{MARK}%")) == 0:
        rows.delete("ai_usage_logs", *window)


def moment(value: object) -> datetime:
    """A point in time as either way to the rows gives it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))

"""Standard check of our own backups: the newest one that was restored and compared is young enough and still there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec, Cost
from services.verdict import Finding, Verdict

TAKE_ONE = "Take one with `backup`, or on /rollback."


def backup_proved(context: CheckContext) -> Finding:
    """The newest backup of ours whose restore was seen is younger than the limit, and its file is in place."""
    found = context.store_facts.get("backup")
    return proved(found, context.now, context.app.thresholds.backup_max_age_h, context.target.backup_recipient)


def proved(found: Mapping[str, Any] | None, now: datetime, limit_h: float, recipient: str | None) -> Finding:
    """Judge the newest proved backup as the store has it; None: there is none. limit_h: hours that it may be old."""
    if found is None:
        facts: dict[str, Any] = {"newest": None, "recipient_set": recipient is not None}
        way = TAKE_ONE if recipient else f"Set backup_recipient first (`backup --new-key`). {TAKE_ONE}"
        return Finding(Verdict.UNKNOWN, f"No backup of ours has been restored and compared yet. {way}", facts)
    hours = max(0.0, (now - datetime.fromisoformat(found["at"])).total_seconds() / 3600)
    facts = {
        "newest": found["at"],
        "age_h": round(hours, 1),
        "rows": found["rows"],
        "bytes": found["bytes"],
        "file": found["file"],
        "host": found["host"],
        "keep_until": found["keep_until"],
        "proof": found["proof"],
    }
    where = f"{found['file']} on {found['host']}"
    if found["there"] is False:
        said = f"The newest proved backup, of {hours:.0f} hours ago, is no longer where it was written: {where}."
        return Finding(Verdict.FAIL, f"{said} {TAKE_ONE}", facts)
    if hours > limit_h:
        said = f"The newest proved backup is {hours:.0f} hours old; the limit is {limit_h:g}."
        return Finding(Verdict.FAIL, f"{said} {TAKE_ONE}", facts)
    seen = "" if found["there"] else ", which was not looked at from here"
    said = f"A backup of {hours:.0f} hours ago was restored with all its {found['rows']:,} rows; it is {where}{seen}."
    return Finding(Verdict.PASS, said, facts)


SPECS = (
    CheckSpec(
        "backup-proved",
        "A backup of ours was restored",
        "A backup that we took ourselves was restored and compared row by row, and is younger than the limit.",
        backup_proved,
        ("before",),
        ("database",),
        cost=Cost(0),
        expires_s=3600,
    ),
)

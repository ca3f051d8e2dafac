"""Whether usage is still being written: the newest row of real use beside what people have done since."""

from __future__ import annotations

from datetime import timedelta

from apps.pulsecheck.probe import relation_exists
from services.checks.context import CheckContext
from services.verdict import Finding, Verdict

ENOUGH_ENTRIES = 5
"""With entries of so many minutes since the newest usage row, its silence is no coincidence."""

# Rows of this very run are not use; a run's own rows are younger than its start.
NEWEST = """
    select max(created_at) as newest from public.ai_usage_logs
    where context_type is distinct from 'ops-probe' and created_at < %s"""
# By the minute, since nobody's words are read to find out which entries are ours: what a run of checks left behind when
# it died was written all at once.
ENTRIES_SINCE = """
    select count(*) as entries, count(distinct date_trunc('minute', created_at)) as minutes from public.journal_entries
    where created_at > %s and created_at < %s"""


def usage_recent(context: CheckContext) -> Finding:
    """The usage log goes on: where people write entries, rows of AI calls are younger than the team's limit."""
    limit = timedelta(days=context.app.analytics.stale_after_days)
    with context.database() as conn:
        if not relation_exists(conn, "ai_usage_logs"):
            return Finding(Verdict.FAIL, "There is no usage log: nothing that the AI does is counted.", {})
        row = conn.execute(NEWEST, (context.now,)).fetchone()
        newest = row[0] if row else None
        since = context.now - limit if newest is None else max(newest, context.now - 7 * limit)
        counted = conn.execute(ENTRIES_SINCE, (since, context.now)).fetchone()
    entries, minutes = (int(counted[0]), int(counted[1])) if counted else (0, 0)
    facts = {"newest": newest.isoformat() if newest else None, "entries_since": entries, "stale": False}
    if newest is not None and context.now - newest <= limit:
        hours = (context.now - newest).total_seconds() / 3600
        return Finding(Verdict.PASS, f"The newest AI call of a person was logged {hours:.0f} hours ago.", facts)
    age = "ever" if newest is None else f"for {(context.now - newest).days} days"
    if minutes >= ENOUGH_ENTRIES:
        facts["stale"] = True
        said = f"No AI call has been logged {age}, while {entries} entries were written since."
        return Finding(Verdict.FAIL, said, facts, link="railway_logs")
    said = f"No AI call has been logged {age}, and hardly anybody wrote an entry: whether it would be is not known."
    return Finding(Verdict.UNKNOWN, said, facts)

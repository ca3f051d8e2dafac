"""What can be seen of journal and admin numbers where nothing may be written: what stands there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.rows import dict_row

from apps.pulsecheck.callers import api_of, require_alive
from apps.pulsecheck.checks.admin_numbers import ask_all, judged_numbers, own_count
from apps.pulsecheck.checks.journal import LEVELS
from apps.pulsecheck.client import NOT_LOADED, PulseCheck, one_object
from apps.pulsecheck.probe import relation_exists
from services.checks.context import CheckContext
from services.checks.kinds import Stage, answered, staged
from services.verdict import Finding, Verdict

NOT_WRITTEN = "Nothing was written: the target does not allow it."


def journal_as_it_stands(context: CheckContext) -> Finding:
    """The newest entry reads through the API as it stands in the database. Whether one is stored is not known."""
    require_alive(context)
    read, facts = _newest_reads(context, api_of(context))
    stages = [Stage("write", Verdict.UNKNOWN, NOT_WRITTEN), Stage("stored", Verdict.UNKNOWN, ""), read]
    finding = staged(stages, "Journal", {**facts, "without_writing": True})
    if finding.verdict is Verdict.FAIL:
        return finding
    return Finding(finding.verdict, f"Journal: {NOT_WRITTEN} {read.said}", finding.facts)


def _newest_reads(context: CheckContext, api: PulseCheck) -> tuple[Stage, Mapping[str, Any]]:
    listed = api.entries(per_page=1)
    if not listed.ok:
        refused = answered(listed, "The list of entries")
        return Stage("read", refused.verdict, refused.summary), refused.facts
    entries = one_object(listed).get("entries")
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], Mapping):
        return Stage("read", Verdict.UNKNOWN, "There is no entry that could be read."), {}
    entry_id = str(entries[0].get("id"))
    answer = api.entry(entry_id)
    facts = {"read_status": answer.status}
    if answer.status != 200:
        refused = answered(answer, "Reading an entry")
        return Stage("read", refused.verdict, refused.summary), facts
    body = one_object(answer)
    with context.database() as conn:
        row = (
            conn.cursor(row_factory=dict_row)
            .execute(
                "select mood_level, energy_level, stress_level from public.journal_entries where id::text = %s",
                (entry_id,),
            )
            .fetchone()
        )
    if row is None:
        return Stage("read", Verdict.FAIL, "The newest entry that the app shows is not in the database."), facts
    if any(body.get(level) != row[level] for level in LEVELS):
        return Stage("read", Verdict.FAIL, "The newest entry reads with other levels than the database holds."), facts
    return Stage("read", Verdict.PASS, "The newest entry reads as it stands in the database."), facts


def admin_numbers_as_they_stand(context: CheckContext) -> Finding:
    """The admin numbers equal our own count of the log, without marked calls of ours among them: where the log is
    empty, equal zeros prove nothing."""
    require_alive(context)
    api = api_of(context, "admin")
    first = api.admin_daily()
    if first.status in NOT_LOADED:
        said = f"The admin route is not loaded ({first.status})."
        return Finding(Verdict.FAIL, said, {"status": first.status}, link="railway_service")
    with context.database() as conn:
        if not relation_exists(conn, "ai_usage_logs"):
            return Finding(Verdict.FAIL, "Admin numbers are answered, but there is no log to count.", {"status": 200})
        has_feedback = relation_exists(conn, "ai_feedback")
    before = own_count(context, has_feedback)
    answers = ask_all(api, str(before["day"]))
    after = own_count(context, has_feedback)
    finding = judged_numbers(answers, before, after)
    facts = {**finding.facts, "removed": None, "without_writing": True}
    if finding.verdict is Verdict.PASS and not before["all_calls"]:
        said = "Nobody has asked the companion yet, so that equal numbers are all zero and prove nothing."
        return Finding(Verdict.UNKNOWN, said, facts)
    return Finding(finding.verdict, finding.summary, facts, finding.raw, finding.link)

"""Checks of journal, statistics, feedback and limits: written through the API, found in the database, removed."""

from __future__ import annotations

from typing import Any

from apps.pulsecheck.client import one_object
from apps.pulsecheck.probe import Probe, Written, api_of, probing, relation_exists, require_alive
from services.checks.context import CheckContext
from services.checks.kinds import Compared, Stage, answered, numbers_agree, staged
from services.clients.http import Answer, UpstreamError
from services.verdict import Finding, Verdict

LEVELS = ("mood_level", "energy_level", "stress_level")
WRITTEN = {"mood_level": 7, "energy_level": 6, "stress_level": 4}


def journal_roundtrip(context: CheckContext) -> Finding:
    """An entry written through the API stands in the database with the same levels and reads back the same."""
    with probing(context) as probe:
        written = probe.write_entry(7, 6, 4, "Steady morning, checking that entries are kept")
        if isinstance(written, Answer):
            return _refused(written, "The entry")
        stages = [_stored(probe, written), _read_back(probe, written)]
    first = Stage("write", Verdict.PASS, f"Written in {written.answer.took_s * 1000:.0f} ms.")
    facts: dict[str, Any] = {
        "status": written.answer.status,
        "read_status": 200 if stages[1].verdict is Verdict.PASS else None,
        "took_ms": round(written.answer.took_s * 1000),
        "removed": True,
    }
    return staged([first, *stages, Stage("removed", Verdict.PASS, "Removed again.")], "Journal", facts)


def _refused(answer: Answer, what: str) -> Finding:
    finding = answered(answer, what)
    verdict = Verdict.FAIL if finding.verdict is Verdict.FAIL else Verdict.UNKNOWN
    stages = {"write": verdict.value, "stored": verdict.value, "read": Verdict.UNKNOWN.value}
    return Finding(verdict, finding.summary, {**finding.facts, "stages": stages}, answer.body)


def _stored(probe: Probe, written: Written) -> Stage:
    found = probe.rows(
        "select mood_level, energy_level, stress_level from public.journal_entries where id::text = %s", written.id
    )
    if not found:
        return Stage("stored", Verdict.FAIL, "The API said the entry was written, but it is not in the database.")
    if any(found[0][level] != WRITTEN[level] for level in LEVELS):
        return Stage("stored", Verdict.FAIL, "The entry is in the database with other levels than were sent.")
    return Stage("stored", Verdict.PASS, "Found in the database.")


def _read_back(probe: Probe, written: Written) -> Stage:
    try:
        answer = probe.api.entry(written.id)
        if answer.status != 200:
            return Stage("read", Verdict.FAIL, f"Reading it back through the API answered {answer.status}.")
        body = one_object(answer)
    except UpstreamError as error:
        return Stage("read", Verdict.UNKNOWN, f"It could not be read back: {error.what}")
    if any(body.get(level) != WRITTEN[level] for level in LEVELS):
        return Stage("read", Verdict.FAIL, "It reads back with other levels than were sent.")
    return Stage("read", Verdict.PASS, "Read back the same.")


def stats_answer(context: CheckContext) -> Finding:
    """The statistics' total is the number of rows we count for the same caller in the database."""
    require_alive(context)
    api = api_of(context)
    list_answer = api.entries(per_page=1)
    if not list_answer.ok:
        return answered(list_answer, "/journal/entries")
    listed = one_object(list_answer)
    entries = listed.get("entries") or []
    with context.database() as conn:
        sql = "select count(*) from public.journal_entries where user_id::text = %s"
        caller = str(entries[0]["user_id"]) if entries else "user_123"
        before = _count(conn, sql, caller)
        answer = api.stats()
        after = _count(conn, sql, caller)
    finding = answered(answer, "/journal/stats")
    if finding.verdict is not Verdict.PASS:
        return finding
    stats = one_object(answer)
    total = stats.get("total_entries")
    low, high = min(before, after), max(before, after)
    compared = Compared("total_entries", low, high, float(total) if isinstance(total, int | float) else None)
    said = numbers_agree([compared], "Statistics")
    return Finding(said.verdict, said.summary, {**finding.facts, **said.facts}, answer.body)


def _count(conn: Any, sql: str, *values: object) -> int:
    row = conn.execute(sql, values).fetchone()
    return int(row[0]) if row else 0


def feedback_stored(context: CheckContext) -> Finding:
    """Feedback that was answered with 200 stands in ai_feedback, with its kind and our text."""
    with probing(context) as probe:
        written = probe.write_entry(6, 6, 5, "Quiet noon, checking that feedback is kept")
        if isinstance(written, Answer):
            return answered(written, "The entry to give feedback on")
        answer = probe.api.feedback(written.id, "thumbs_up", context.marker)
        finding = answered(answer, "Feedback")
        if answer.status in (404, 405):
            facts = {"status": answer.status, "stored": 0}
            return Finding(Verdict.FAIL, f"The feedback route is not loaded ({answer.status}).", facts)
        if finding.verdict is not Verdict.PASS:
            return finding
        if not probe.has_feedback:
            facts = {"status": answer.status, "stored": 0}
            return Finding(Verdict.FAIL, "Feedback was answered with 200, but there is no table to store it in.", facts)
        found = probe.rows(
            "select feedback_type, feedback_text from public.ai_feedback where journal_entry_id::text = %s", written.id
        )
    facts = {"status": answer.status, "stored": len(found), "removed": True}
    if len(found) == 1 and found[0]["feedback_type"] == "thumbs_up" and found[0]["feedback_text"] == context.marker:
        return Finding(Verdict.PASS, "Feedback was answered, found in the database, and removed again.", facts)
    if not found:
        said = "Feedback was answered with 200 and stored nowhere."
    elif len(found) > 1:
        said = f"One feedback was stored {len(found)} times."
    else:
        said = "Feedback was stored with another kind or text than was sent."
    return Finding(Verdict.FAIL, said, facts, link="railway_logs")


def rate_limit(context: CheckContext) -> Finding:
    """With the day's allowance used up in the log, the next AI call is refused with 429; without, it is not."""
    if context.target.production:
        return Finding(
            Verdict.UNKNOWN,
            "Not tried on production: all callers share one quota here, and filling it would refuse people.",
        )
    with probing(context) as probe:
        if not (probe.has_log and probe.has_quotas and relation_exists(probe.conn, "user_tier_limits")):
            return Finding(Verdict.FAIL, "There is no table of limits, so no call is ever refused.", {"limit": None})
        limit = int(probe.rows("select max(daily_ai_limit) as most from public.user_tier_limits")[0]["most"] or 0)
        written = probe.write_entry(6, 5, 5, "Busy evening, checking that limits hold")
        if isinstance(written, Answer):
            return answered(written, "The entry for the limit")
        probe.insert_log_rows(written.user_id, limit, tokens=1, cost_usd="0")
        used = probe.rows(
            "select requests_used from public.daily_usage_quotas"
            " where user_id::text = %s and usage_date = (now() at time zone 'UTC')::date",
            written.user_id,
        )
        refused = probe.pulse(written.id)
    counted = int(used[0]["requests_used"]) if used else 0
    facts = {"limit": limit, "status": refused.status, "counted": counted, "removed": True}
    if counted < limit:
        return Finding(Verdict.FAIL, f"After {limit} logged calls the quota row counts {counted}.", facts)
    if refused.status == 429:
        return Finding(Verdict.PASS, f"After {limit} logged calls the next one was refused with 429.", facts)
    if refused.status >= 500:
        return Finding(Verdict.UNKNOWN, f"The call after the limit answered {refused.status}.", facts)
    return Finding(Verdict.FAIL, f"After {limit} logged calls the next one still answered {refused.status}.", facts)

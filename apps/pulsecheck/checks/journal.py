"""Checks of journal, statistics and feedback: written through the API, found in the database, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from psycopg.rows import dict_row

from apps.pulsecheck.callers import account_for, api_of, asks_for_token, require_alive, signed_in
from apps.pulsecheck.checks.api import build_of
from apps.pulsecheck.client import NOT_LOADED, FeedbackShape, PulseCheck, one_object
from apps.pulsecheck.probe import Lost, OtherDatabase, Probe, Written, newest_entries, not_written, probing
from apps.pulsecheck.probe_rows import equal
from apps.pulsecheck.sweep import moment
from services.checks.context import CheckContext
from services.checks.kinds import Compared, Stage, answered, numbers_agree, staged
from services.clients.http import Answer, UpstreamError
from services.verdict import Finding, Verdict

LEVELS = ("mood_level", "energy_level", "stress_level")
WRITTEN = {"mood_level": 7, "energy_level": 6, "stress_level": 4}
WORDS = "Steady morning, checking that entries are kept"
LOOK_BACK = 20
CALLER = "user_123"  # everybody, in the builds without sign-in
CAP = 1000  # rows that Supabase shows at most: averages of a build may be of the newest so many entries
ROUNDED = 0.0051  # averages come with two digits


def journal_roundtrip(context: CheckContext) -> Finding:
    """An entry written through the API stands in the database, reads back the same, and is in the list."""
    try:
        with probing(context) as probe:
            written = probe.write_entry(7, 6, 4, WORDS)
            if isinstance(written, Lost):
                return _lost(written)
            if isinstance(written, Answer):
                return _refused(written, "The entry")
            read, status = _read_back(probe, written)
            stages = [_stored(probe, written), read, _listed(probe, written)]
    except OtherDatabase as error:
        stages_seen = {"write": "unknown", "stored": "fail", "read": "unknown"}
        return Finding(Verdict.FAIL, error.what, {"other_database": True, "stages": stages_seen, "removed": True})
    first = Stage("write", Verdict.PASS, f"Written in {written.answer.took_s * 1000:.0f} ms.")
    facts: dict[str, Any] = {
        "status": written.answer.status,
        "read_status": status,
        "took_ms": round(written.answer.took_s * 1000),
        "removed": True,
    }
    return staged([first, *stages, Stage("removed", Verdict.PASS, "Removed again.")], "Journal", facts)


def _lost(written: Lost) -> Finding:
    stored = Verdict.PASS if written.stored else Verdict.UNKNOWN
    stages = {"write": "unknown", "stored": stored.value, "read": "unknown"}
    finding = written.finding("The entry")
    return Finding(finding.verdict, finding.summary, {**finding.facts, "stages": stages})


def _refused(answer: Answer, what: str) -> Finding:
    finding = answered(answer, what)
    verdict = Verdict.FAIL if finding.verdict is Verdict.FAIL else Verdict.UNKNOWN
    stages = {"write": verdict.value, "stored": verdict.value, "read": Verdict.UNKNOWN.value}
    return Finding(verdict, finding.summary, {**finding.facts, "stages": stages}, answer.body)


def _stored(probe: Probe, written: Written) -> Stage:
    found = probe.rows.select("journal_entries", equal("content", probe.content(WORDS)))
    if not found:
        return Stage("stored", Verdict.FAIL, "The API said the entry was written, but it is not in the database.")
    if len(found) > 1:
        return Stage("stored", Verdict.FAIL, f"One entry was stored {len(found)} times.")
    if any(found[0][level] != WRITTEN[level] for level in LEVELS):
        return Stage("stored", Verdict.FAIL, "The entry is in the database with other levels than were sent.")
    return Stage("stored", Verdict.PASS, "Found in the database.")


def _read_back(probe: Probe, written: Written) -> tuple[Stage, int | None]:
    """What reading the entry showed, and the status of the answer where there was one."""
    try:
        answer = probe.api.entry(written.id)
        if answer.status != 200:
            refused = answered(answer, "Reading it back")
            return Stage("read", refused.verdict, f"Reading it back through the API answered {answer.status}."), (
                answer.status
            )
        body = one_object(answer)
    except UpstreamError as error:
        return Stage("read", Verdict.UNKNOWN, f"It could not be read back: {error.what}"), error.status
    if any(body.get(level) != WRITTEN[level] for level in LEVELS):
        return Stage("read", Verdict.FAIL, "It reads back with other levels than were sent."), 200
    if body.get("content") != probe.content(WORDS):
        return Stage("read", Verdict.FAIL, "It reads back with other words than were sent."), 200
    return Stage("read", Verdict.PASS, "Read back the same."), 200


def _listed(probe: Probe, written: Written) -> Stage:
    """The newest entries hold it. One is asked for, since the others are somebody's words; more only where it is not
    the first."""
    try:
        for per_page in (1, LOOK_BACK):
            answer = probe.api.entries(per_page=per_page)
            if not answer.ok:
                refused = answered(answer, "The list of entries")
                return Stage("listed", refused.verdict, refused.summary)
            if written.id in _ids(answer):
                return Stage("listed", Verdict.PASS, "In the list.")
        last = max(1, int(one_object(answer).get("total") or 0))
        if written.id in _ids(probe.api.entries(page=last, per_page=1).expect()):
            return Stage("listed", Verdict.PASS, "In the list, as its last.")
    except (UpstreamError, TypeError, ValueError) as error:
        said = error.what if isinstance(error, UpstreamError) else "its total is no number."
        return Stage("listed", Verdict.UNKNOWN, f"The list could not be read: {said}")
    return Stage("listed", Verdict.FAIL, "The list of entries does not hold it: what is read is not what was written.")


def _ids(answer: Answer) -> list[str]:
    entries = one_object(answer).get("entries")
    return [str(one.get("id")) for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else []


def stats_answer(context: CheckContext) -> Finding:
    """The statistics' total and averages are those of the rows that we find for the same caller in the database."""
    require_alive(context)
    api = api_of(context)
    caller = _caller(context, api)
    if isinstance(caller, Finding):
        return caller
    before = _own_statistics(context, caller)
    answer = api.stats()
    after = _own_statistics(context, caller)
    finding = answered(answer, "/journal/stats")
    if finding.verdict is not Verdict.PASS:
        return finding
    told = one_object(answer)
    said = numbers_agree(compared_statistics(told, before, after), "Statistics")
    return Finding(said.verdict, said.summary, {**finding.facts, **said.facts}, answer.body)


def _caller(context: CheckContext, api: PulseCheck) -> str | Finding:
    """As whom the app knows us: the owner of the entries that it lists; of an empty list, whoever we signed in as."""
    listing = newest_entries(context, api)
    if not listing.ok:
        return answered(listing, "/journal/entries")
    entries = one_object(listing).get("entries") or []
    first = entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], Mapping) else {}
    if first.get("user_id"):
        return str(first["user_id"])
    return signed_in(context, account_for(context, "probe")).user_id if asks_for_token(context) else CALLER


def _own_statistics(context: CheckContext, caller: str) -> Mapping[str, Any]:
    """Our own count and averages of the caller's entries: over all of them, and over the newest that REST can show."""
    averages = ", ".join(
        f"avg({level}) as {level}, avg({level}) filter (where number <= {CAP}) as newest_{level}" for level in LEVELS
    )
    sql = (
        f"select count(*) as total, max(created_at) as last_entry, {averages} from ("
        f" select {', '.join(LEVELS)}, created_at, row_number() over (order by created_at desc) as number"
        " from public.journal_entries where user_id::text = %s) as own"
    )
    with context.database() as conn:
        row = conn.cursor(row_factory=dict_row).execute(sql.encode(), (caller,)).fetchone()
    return row or {}


def compared_statistics(
    told: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Sequence[Compared]:
    """What the statistics say beside our own numbers from just before and just after; what they leave out is not
    compared, but for the total. Streaks are left out: their rule differs between builds."""
    totals = [float(one.get("total") or 0) for one in (before, after)]
    pairs = [Compared("total_entries", min(totals), max(totals), _number(told.get("total_entries")))]
    for level in LEVELS:
        name = f"average_{level.removesuffix('_level')}"
        ours = [
            float(one[key]) for one in (before, after) for key in (level, f"newest_{level}") if one.get(key) is not None
        ]
        if ours and name in told:
            pairs.append(Compared(name, min(ours), max(ours), _number(told[name]), ROUNDED))
    latest = [moment(one["last_entry"]).timestamp() for one in (before, after) if one.get("last_entry")]
    if latest and told.get("last_entry_date"):
        pairs.append(Compared("last_entry_date", min(latest), max(latest), _seconds(told["last_entry_date"]), 86_400))
    return pairs


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _seconds(value: object) -> float | None:
    """A date or a time as seconds since 1970, a date being its midnight in UTC."""
    try:
        found = moment(value)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def feedback_stored(context: CheckContext) -> Finding:
    """Feedback that was answered with 200 stands in ai_feedback, with its kind and our text."""
    first: FeedbackShape = "json" if build_of(context) == context.app.builds[-1].id else "query"
    with probing(context, "feedback") as probe:
        begun = probe.write_entries([(6, 6, 5, "Quiet noon, checking that feedback is kept")])
        if not isinstance(begun, list):
            return not_written(begun, "The entry to give feedback on")
        (written,) = begun
        try:
            answer, shape = probe.api.feedback_as_understood(written.id, "thumbs_up", probe.mark, first)
        except UpstreamError as error:
            stored = bool(probe.has_feedback and probe.rows.count("ai_feedback", equal("feedback_text", probe.mark)))
            return Lost(error, stored).finding("The feedback")
        facts: dict[str, Any] = {"status": answer.status, "stored": 0, "shape": shape, "removed": True}
        finding = answered(answer, "Feedback")
        if answer.status in NOT_LOADED:
            said = f"The feedback route is not loaded ({answer.status})."
            return Finding(Verdict.FAIL, said, facts, link="railway_service")
        if finding.verdict is not Verdict.PASS:
            return Finding(finding.verdict, finding.summary, {**finding.facts, "shape": shape}, answer.body)
        one_object(answer)
        if not probe.has_feedback:
            return Finding(Verdict.FAIL, "Feedback was answered with 200, but there is no table to store it in.", facts)
        found = probe.rows.select("ai_feedback", equal("journal_entry_id", written.id))
    facts["stored"] = len(found)
    if len(found) == 1 and found[0]["feedback_type"] == "thumbs_up" and found[0]["feedback_text"] == probe.mark:
        return Finding(Verdict.PASS, "Feedback was answered, found in the database, and removed again.", facts)
    if not found:
        said = "Feedback was answered with 200 and stored nowhere."
    elif len(found) > 1:
        said = f"One feedback was stored {len(found)} times."
    else:
        said = "Feedback was stored with another kind or text than was sent."
    return Finding(Verdict.FAIL, said, facts, link="railway_logs")

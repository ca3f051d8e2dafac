"""The check of the daily limit: the allowance of a test account really used up, and the next call really refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.pulsecheck.callers import asks_for_token, require_alive
from apps.pulsecheck.client import too_many
from apps.pulsecheck.probe import Probe, Row, Written, not_written, people_called, probing
from apps.pulsecheck.probe_rows import equal
from apps.pulsecheck.sweep import moment
from services.checks.context import CheckContext
from services.checks.side_by_side import side_by_side
from services.clients.http import Answer, UpstreamError, kind_of
from services.verdict import Finding, Verdict

WORDS = "Busy evening, checking that limits hold, call {}"
MOST_CALLS = 60
AT_ONCE = 24
BETA_FOR = timedelta(days=30)
SHARED = (
    "Not tried on production: all callers of this build share one user and one allowance, and using it up would"
    " refuse people."
)


def tier_by_rule(user: Row | None, now: datetime) -> str:
    """premium where paid and not expired; beta in the first 30 days; else free, and so is who is not known."""
    if user is None:
        return "free"
    expires = user.get("tier_expires_at")
    if user.get("is_premium") and (expires is None or moment(expires) > now):
        return "premium"
    made = moment(user["created_at"])
    return "beta" if (made if made.tzinfo else made.replace(tzinfo=UTC)) > now - BETA_FOR else "free"


def rate_limit(context: CheckContext) -> Finding:
    """The calls that a test account has left today are answered, the next one is refused with 429, and the quota row
    counts as many."""
    require_alive(context)
    shared = not asks_for_token(context)
    if shared and context.target.production:
        return Finding(Verdict.UNKNOWN, SHARED, {"shared_user": True})
    with probing(context, "rate-limit") as probe:
        if not (probe.has_log and probe.has_quotas and probe.rows.has("user_tier_limits")):
            return Finding(Verdict.FAIL, "There is no table of limits, so no call is ever refused.", {"limit": None})
        begun = probe.write_entries([(6, 5, 5, WORDS.format(0))])
        if not isinstance(begun, list):
            return not_written(begun, "The entry for the limit")
        (first,) = begun
        people = people_called(probe.rows, first.user_id)
        tier = tier_by_rule(people[0] if people else None, context.now)
        limits = probe.rows.select("user_tier_limits", equal("tier_name", tier))
        if not limits:
            return Finding(Verdict.FAIL, f"The tier '{tier}' has no limit.", {"limit": None, "tier": tier})
        facts: dict[str, Any] = {"limit": int(limits[0]["daily_ai_limit"]), "tier": tier, "shared_user": shared}
        return _used_up(probe, first, facts)


def _used_up(probe: Probe, first: Written, facts: dict[str, Any]) -> Finding:
    """Make the calls that are left side by side, each about an entry of its own, since answers may be remembered; then
    one more, alone."""
    most = min(facts["limit"], MOST_CALLS)
    outcomes = [
        first,
        *side_by_side([_writing(probe, WORDS.format(number + 1)) for number in range(most)], at_once=AT_ONCE),
    ]
    for outcome in outcomes:
        if not isinstance(outcome, Written):
            return not_written(outcome, "An entry for the limit")
    entries = [one.id for one in outcomes if isinstance(one, Written)]
    # Counted only when no other probe of this run asks: what those used up is given back before they let us ask.
    probe.will_ask(first.user_id, most + 1)
    used = _counted(probe, first.user_id)
    facts = {**facts, "used_before": used}
    left = max(0, facts["limit"] - used)
    if left > MOST_CALLS:
        said = f"Not tried: {left} calls are left today, more than the {MOST_CALLS} that we make."
        return Finding(Verdict.UNKNOWN, said, facts)
    allowed = side_by_side([_asking(probe, entry) for entry in entries[:left]], at_once=AT_ONCE)
    last = _asking(probe, entries[left])() if all(_is_ok(one) for one in allowed) else None
    # A row that the app writes after its answer is waited for, so that the quota counts it.
    logged = probe.awaited_log_rows(first.user_id, left)
    counted = _counted(probe, first.user_id)
    return judged_limit(allowed, last, counted, {**facts, "logged": len(logged), "removed": True})


def _writing(probe: Probe, words: str) -> Any:
    return lambda: probe.write_entry(6, 5, 5, words)


def _asking(probe: Probe, entry_id: str) -> Any:
    def ask() -> Answer | UpstreamError:
        try:
            return probe.pulse(entry_id)
        except UpstreamError as error:
            return error

    return ask


def _is_ok(outcome: Answer | UpstreamError) -> bool:
    return isinstance(outcome, Answer) and outcome.ok


def judged_limit(
    allowed: Sequence[Answer | UpstreamError], last: Answer | UpstreamError | None, counted: int, facts: dict[str, Any]
) -> Finding:
    """What the allowed calls, the one after them (None: not made) and the quota row say about the limit."""
    limit = facts["limit"]
    answered_200 = sum(_is_ok(one) for one in allowed)
    status = last.status if last is not None else None
    facts = {**facts, "calls": len(allowed), "answered": answered_200, "counted": counted, "status": status}
    for outcome in [*allowed, *([last] if last is not None else [])]:
        if isinstance(outcome, UpstreamError):
            said = f"Not every call was heard: {outcome.what}"
            return Finding(Verdict.UNKNOWN, said, {**facts, "kind": outcome.kind.value})
    for outcome in allowed:
        assert isinstance(outcome, Answer)
        refused = too_many(outcome)
        if refused is not None and not refused.of_the_day:
            said = f"The app throttles its callers before the day's allowance is used up: {refused.message}"
            return Finding(Verdict.UNKNOWN, said, {**facts, "kind": "rate-limited"})
        if refused is not None and counted > facts["used_before"] + answered_200:
            return Finding(Verdict.UNKNOWN, "Somebody else used the same allowance meanwhile.", facts)
        if refused is not None:
            said = f"Only {answered_200} of the {len(allowed)} calls that were left today were answered."
            return Finding(Verdict.FAIL, said, facts)
        if not outcome.ok:
            kind = kind_of(outcome.status).value
            said = f"A call within the allowance answered {outcome.status}."
            return Finding(Verdict.UNKNOWN, said, {**facts, "kind": kind})
    assert isinstance(last, Answer)
    if last.ok:
        said = f"After {len(allowed)} more calls of {limit} a day the next one still answered {last.status}"
        return Finding(Verdict.FAIL, f"{said}; the quota row counts {counted}.", facts, link="railway_logs")
    if last.status != 429:
        said = f"The call after the limit answered {last.status}."
        return Finding(Verdict.UNKNOWN, said, {**facts, "kind": kind_of(last.status).value})
    if counted < limit:
        said = f"The call after the limit was refused, but the quota row counts {counted} of {limit}."
        return Finding(Verdict.FAIL, said, facts)
    said = f"{len(allowed)} calls were answered, the next one was refused with 429, and the quota row counts {counted}."
    return Finding(Verdict.PASS, said, facts)


def _counted(probe: Probe, user_id: str) -> int:
    """Calls of today (UTC) in the caller's quota row."""
    today = probe.context.now.astimezone(UTC).date().isoformat()
    rows = probe.rows.select("daily_usage_quotas", equal("user_id", user_id), equal("usage_date", today))
    return int(rows[0]["requests_used"]) if rows else 0

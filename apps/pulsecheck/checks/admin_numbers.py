"""The check of the admin numbers: every endpoint answered in its shape, and each number equal to a count of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row

from apps.pulsecheck.callers import api_of, require_alive
from apps.pulsecheck.client import NOT_LOADED, PulseCheck, one_object
from apps.pulsecheck.probe import probing
from services.checks.context import CheckContext
from services.checks.kinds import Compared, answered, missing_keys, numbers_agree
from services.checks.side_by_side import side_by_side
from services.clients.http import Answer
from services.verdict import Finding, Verdict

USERS_SHOWN = 500
WEEK, MONTH = 7, 30
KEYS: Mapping[str, tuple[str, ...]] = {
    "daily": ("daily_active_users", "total_ai_interactions", "total_daily_cost"),
    "weekly": ("weeks_included", "weekly_metrics"),
    "users": ("summary", "users"),
    "feedback": ("period_days", "overall_sentiment"),
    "costs": ("period_days", "cost_summary"),
    "health": ("health_score", "last_24h_metrics"),
    "export": (),
}
# Our own numbers. Days are UTC days, today included, as the release's views count them.
_DAY = "date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'"
_COUNTS = f"""
    select (now() at time zone 'UTC')::date::text as day,
        count(distinct user_id) filter (where created_at >= {_DAY}) as daily_active_users,
        count(*) filter (where created_at >= {_DAY}) as total_ai_interactions,
        coalesce(sum(cost_usd) filter (where created_at >= {_DAY}), 0) as total_daily_cost,
        count(*) filter (where not success and created_at >= {_DAY}) as error_count,
        avg(total_tokens) filter (where created_at >= {_DAY}) as avg_tokens_per_interaction,
        count(*) filter (where created_at >= {_DAY} - interval '6 days') as week_calls,
        count(*) filter (where created_at >= date_trunc('week', now() at time zone 'UTC') at time zone 'UTC')
            as iso_week_calls,
        coalesce(sum(cost_usd) filter (where created_at >= {_DAY} - interval '29 days'), 0) as month_cost,
        count(*) filter (where created_at >= {_DAY} - interval '29 days') as month_calls,
        count(*) as all_calls, coalesce(sum(cost_usd), 0) as all_cost
    from public.ai_usage_logs"""
_FEEDBACK = "select count(*) as feedback from public.ai_feedback where created_at >= now() - interval '7 days'"
DAILY = ("daily_active_users", "total_ai_interactions", "total_daily_cost", "error_count", "avg_tokens_per_interaction")
OwnCount = Mapping[str, Any]


def admin_numbers(context: CheckContext) -> Finding:
    """The admin numbers equal our own count of the log, marked calls of ours among them: no zero can pass."""
    require_alive(context)
    api = api_of(context, "admin")
    with probing(context) as probe:
        first = api.admin_daily()
        if first.status in NOT_LOADED:
            said = f"The admin route is not loaded ({first.status})."
            return Finding(Verdict.FAIL, said, {"status": first.status}, link="railway_service")
        refused = answered(first, "Admin daily")
        if refused.verdict is not Verdict.PASS:
            return Finding(refused.verdict, refused.summary, refused.facts, first.body, link="railway_logs")
        one_object(first)
        if not probe.has_log:
            return Finding(Verdict.FAIL, "Admin numbers are answered, but there is no log to count.", {"status": 200})
        probe.insert_log_rows(f"{probe.mark}-a", 2, tokens=120, cost_usd="0.03")
        probe.insert_log_rows(f"{probe.mark}-b", 1, tokens=0, cost_usd="0", success=False)
        before = own_count(context, probe.has_feedback)
        answers = ask_all(api, str(before["day"]))
        after = own_count(context, probe.has_feedback)
    return judged_numbers(answers, before, after)


def own_count(context: CheckContext, has_feedback: bool) -> OwnCount:
    """Our own count of the usage log and the feedback, now."""
    with context.database() as conn:
        cursor = conn.cursor(row_factory=dict_row)
        counted = dict(cursor.execute(_COUNTS.encode()).fetchone() or {})
        if has_feedback:
            counted |= cursor.execute(_FEEDBACK).fetchone() or {}
    return counted


def ask_all(api: PulseCheck, day: str) -> dict[str, Answer]:
    """Every admin endpoint that reads, at once."""
    calls: Mapping[str, Callable[[], Answer]] = {
        "daily": lambda: api.admin_daily(day),
        "weekly": lambda: api.admin_weekly(1),
        "users": lambda: api.admin_users(USERS_SHOWN),
        "feedback": lambda: api.admin_feedback(WEEK),
        "costs": lambda: api.admin_costs(MONTH),
        "health": api.admin_health,
        "export": lambda: api.admin_export(MONTH),
    }
    return dict(zip(calls, side_by_side(list(calls.values()), at_once=len(calls)), strict=True))


def judged_numbers(answers: Mapping[str, Answer], before: OwnCount, after: OwnCount) -> Finding:
    """The verdict on all answers: status and shape first, then each number beside our own."""
    bodies: dict[str, Mapping[str, Any]] = {}
    for name, answer in answers.items():
        finding = answered(answer, f"Admin {name}")
        if finding.verdict is not Verdict.PASS:
            facts = {**finding.facts, "endpoint": name}
            return Finding(finding.verdict, finding.summary, facts, answer.body, link="railway_logs")
        bodies[name] = one_object(answer)
        missing = missing_keys(bodies[name], KEYS[name])
        if missing:
            facts = {"status": answer.status, "endpoint": name, "missing": list(missing)}
            return Finding(Verdict.FAIL, f"Admin {name} lacks {', '.join(missing)}.", facts, answer.body)
    pairs = compared_numbers(bodies, before, after)
    finding = numbers_agree(pairs, f"Admin numbers of {before['day']}")
    facts = {**finding.facts, "status": 200, "removed": True, "endpoints": len(answers)}
    facts["wrong"] = [pair.name for pair in pairs if not pair.equal]
    daily = [pair for pair in pairs if pair.name in DAILY]
    if finding.verdict is Verdict.FAIL and all(pair.theirs in (0, None) for pair in daily):
        calls = before["total_ai_interactions"]
        said = f"Admin numbers are all zero, while we count {calls} AI calls: rows are hidden."
        return Finding(Verdict.FAIL, said, {**facts, "all_zero": True}, link="railway_variables")
    return Finding(finding.verdict, finding.summary, {**facts, "all_zero": False}, link="railway_logs")


def compared_numbers(bodies: Mapping[str, Mapping[str, Any]], before: OwnCount, after: OwnCount) -> list[Compared]:
    """The day's numbers, and of the other endpoints those of which a count of our own can be made; a number that a
    build does not give is not compared, but for the first four of the day."""
    pairs = [_pair(name, bodies["daily"].get(name), before, after, (name,)) for name in DAILY[:4]]
    if "avg_tokens_per_interaction" in bodies["daily"]:
        pairs.append(_pair(DAILY[4], bodies["daily"][DAILY[4]], before, after, (DAILY[4],)))
    users = _rows(bodies["users"].get("users"))
    whole = 0 < len(users) < USERS_SHOWN
    told: list[tuple[str, object, tuple[str, ...]]] = [
        (
            "weekly.total_ai_interactions",
            _sum(_rows(bodies["weekly"].get("weekly_metrics")), "total_ai_interactions"),
            ("week_calls", "iso_week_calls"),
        ),
        ("users.total_ai_interactions", _sum(users, "total_ai_interactions") if whole else None, ("all_calls",)),
        ("users.total_cost", _sum(users, "total_cost") if whole else None, ("all_cost",)),
        ("costs.total_cost", _inside(bodies["costs"], "cost_summary", "total_cost"), ("month_cost",)),
        ("feedback.total_feedback", _inside(bodies["feedback"], "overall_sentiment", "total_feedback"), ("feedback",)),
        (
            "health.total_ai_interactions",
            _inside(bodies["health"], "last_24h_metrics", "total_ai_interactions"),
            ("total_ai_interactions",),
        ),
        (
            "export.total_ai_interactions",
            _sum(_rows(bodies["export"].get("daily_metrics")), "total_ai_interactions"),
            ("month_calls",),
        ),
    ]
    known = [
        (name, theirs, ours) for name, theirs, ours in told if theirs is not None and all(k in before for k in ours)
    ]
    return pairs + [_pair(name, theirs, before, after, ours) for name, theirs, ours in known]


def _pair(name: str, theirs: object, before: OwnCount, after: OwnCount, ours: Sequence[str]) -> Compared:
    """Beside the reading of `ours` that comes nearest: builds differ in what they call a week."""
    number = _number(theirs)
    best: Compared | None = None
    for key in ours:
        values = [float(one[key] or 0) for one in (before, after)]
        pair = Compared(name, min(values), max(values), number, _tolerance(name, number))
        if best is None or (pair.equal and not best.equal):
            best = pair
    assert best is not None
    return best


def _tolerance(name: str, theirs: float | None) -> float:
    """Counts are exact; money and means as exact as they are written: to the cent, or finer."""
    if "cost" not in name and "avg" not in name:
        return 0.0
    if theirs is not None and round(theirs, 2) == theirs:
        return 0.0051
    return 0.00051


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The sum of a column; None where a row does not have it or there is none."""
    if not rows or any(name not in row for row in rows):
        return None
    numbers = [_number(row[name] or 0) for row in rows]
    return None if any(number is None for number in numbers) else sum(number or 0 for number in numbers)


def _inside(body: Mapping[str, Any], part: str, name: str) -> object:
    found = body.get(part)
    first = found[0] if isinstance(found, list) and len(found) == 1 else found
    return first.get(name) if isinstance(first, Mapping) else None


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None

"""How often watching looks again: every few seconds where that is free, less where an upstream counts our calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from services.checks.registry import CheckSpec
from services.checks.runner import ALLOWANCE, LITTLE
from services.verdict import Evidence

REFRESH = timedelta(seconds=5)
# What watching may use up of an upstream that counts our calls, in calls an hour and target: Railway grants 1,000 on
# its smaller plan, Supabase's Management API 120 a minute; people and jobs need most of it.
CALLS_PER_HOUR: Mapping[str, int] = {"Railway": 360, "Supabase": 1800}
LEAST = 0.1
"""With less than this share left, what is there is for people and jobs."""
WINDOWS: Mapping[str, timedelta] = {"hour": timedelta(hours=1), "minute": timedelta(minutes=1)}
LOOKS_AT_LEAST = 4
"""Of a window in which hardly anything is left: so many looks, by which its end is noticed."""


def intervals(specs: Iterable[CheckSpec], newest: Mapping[str, Evidence] | None = None) -> dict[str, timedelta]:
    """How long to wait between two looks of each check: five seconds where looking is free; as long as the upstream's
    share of calls demands where it counts them; and as long as the evidence counts where a look costs money.

    newest: the newest evidence by check. What it says of an upstream's allowance, or of having been asked to wait,
    makes every check of that upstream slower.
    """
    watched = list(specs)
    calls = {
        upstream: sum(spec.cost.calls for spec in watched if upstream in spec.touches) for upstream in CALLS_PER_HOUR
    }
    told = {upstream: _newest_of(upstream, watched, newest or {}) for upstream in CALLS_PER_HOUR}
    found = {}
    for spec in watched:
        pause = _interval(spec, calls)
        found[spec.id] = max([pause, *(slowed(pause, told[one], one) for one in spec.touches if one in told)])
    return found


def _interval(spec: CheckSpec, calls: Mapping[str, int]) -> timedelta:
    if spec.cost.tokens or spec.cost.cents:
        return timedelta(seconds=spec.expires_s)
    shares = [
        timedelta(hours=1) * calls[upstream] / CALLS_PER_HOUR[upstream]
        for upstream in spec.touches
        if upstream in calls
    ]
    return max([REFRESH, *shares])


def _newest_of(upstream: str, specs: Iterable[CheckSpec], newest: Mapping[str, Evidence]) -> Mapping[str, Any]:
    """The facts of the newest evidence that an upstream's answers, or its refusal, stand behind."""
    seen = [newest[spec.id] for spec in specs if upstream in spec.touches and spec.id in newest]
    return max(seen, key=lambda evidence: evidence.started).facts if seen else {}


def slowed(pause: timedelta, facts: Mapping[str, Any], upstream: str) -> timedelta:
    """The pause as an upstream's last answer demands: longer in proportion where less than half of its allowance is
    left, a quarter of the window where less than a tenth is, and as long as it asked us to wait."""
    if facts.get("upstream") == upstream and facts.get("kind") == "rate-limited":
        asked = facts.get("retry_after_s")
        wait = timedelta(seconds=float(asked)) if isinstance(asked, int | float) else WINDOWS["minute"]
        return max(pause, min(wait, WINDOWS["hour"]))
    told = facts.get(ALLOWANCE, {}).get(upstream)
    if not told:
        return pause
    share = told["left"] / told["of"]
    if share < LEAST:
        return max(pause, WINDOWS.get(told["per"], WINDOWS["hour"]) / LOOKS_AT_LEAST)
    return pause * (LITTLE / share) if share < LITTLE else pause

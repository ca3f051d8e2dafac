"""Times for people: relative for a glance, exact with zone for what one acts on, elapsed for what runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

MINUTE, HOUR, DAY = 60, 3600, 86400


def span(seconds: float) -> str:
    """A length of time: "0.4 s", "12 s", "3 min", "2 h 5 min", "4 days"."""
    length = abs(seconds)
    if length < 1:
        return f"{length:.1f} s"
    if length < MINUTE:
        return f"{length:.0f} s"
    if length < HOUR:
        return f"{length / MINUTE:.0f} min"
    if length < 2 * DAY:
        hours, rest = divmod(int(length), HOUR)
        return f"{hours} h {rest // MINUTE} min" if rest >= MINUTE else f"{hours} h"
    return f"{length / DAY:.0f} days"


def duration_ms(milliseconds: float) -> str:
    """A measured duration: "7 ms", "640 ms", "1.8 s", "3 min"."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f} s"
    return span(milliseconds / 1000)


def age(moment: datetime, now: datetime) -> str:
    """How long ago: "just now", "12 s ago", "in 3 min"."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(seconds)}"


def zone() -> ZoneInfo | None:
    """The zone of the browser; None where it does not say or we do not know it."""
    try:
        name = st.context.timezone
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def exact(moment: datetime, *, now: datetime | None = None) -> str:
    """The moment with its zone, in the browser's zone where known, else UTC; without the date where that is today."""
    here = zone()
    local = moment.astimezone(here or UTC)
    same_day = now is not None and local.date() == now.astimezone(here or UTC).date()
    text = local.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")
    return f"{text} {local.strftime('%Z') or 'UTC'}"


def age_at(moment: datetime, now: datetime) -> str:
    """How long ago, and when with its zone: "12 s ago, at 14:03:10 CET"."""
    return f"{age(moment, now)}, at {exact(moment, now=now)}"


def expiry(expires: datetime, now: datetime) -> str:
    """Until when something counts: "counts for 8 min more", "expired 2 h ago"."""
    left = expires - now
    if left > timedelta(days=3650):
        return "does not expire"
    return f"counts for {span(left.total_seconds())} more" if left > timedelta() else f"expired {age(expires, now)}"

"""How many calls an upstream still allows: read from its headers, remembered from answer to answer, said in words."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from services.clients.upstream_error import Kind, Reason, UpstreamError

LOW_SHARE = 0.1
LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What the allowance still holds, as the last answer that told it said.

    reset: the upstream's own words for when it is full again; per: "hour" or "minute"
    """

    limit: int | None
    remaining: int | None
    reset: str | None
    upstream: str = "The service"
    per: str = "hour"

    @property
    def low(self) -> bool | None:
        """Less than a tenth is left; None where that is not told."""
        if self.limit is None or self.remaining is None:
            return None
        return self.remaining < self.limit * LOW_SHARE

    def sentence(self) -> str:
        if self.remaining is None:
            return f"{self.upstream} does not tell how many calls are left this {self.per}."
        of = f" of {self.limit:,}" if self.limit is not None else ""
        return f"{self.upstream}: {self.remaining:,}{of} calls are left this {self.per}."


class Allowance:
    """The budget of one client, and the moment until which the upstream has asked us not to call."""

    def __init__(self, upstream: str, per: str) -> None:
        self._upstream = upstream
        self._per = per
        self._closed_until: float | None = None
        self.budget: Budget | None = None

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Remember what an answer's headers say; an answer that says nothing leaves what is known."""
        limit, left = _number(headers.get("x-ratelimit-limit")), _number(headers.get("x-ratelimit-remaining"))
        if limit is not None or left is not None:
            before = self.budget
            reset = headers.get("x-ratelimit-reset")
            self.budget = Budget(limit or (before.limit if before else None), left, reset, self._upstream, self._per)
        if status == 429:
            wait = retry_after_s(headers)
            self._closed_until = None if wait is None else time.monotonic() + min(wait, LONGEST_WAIT_S)

    def require(self) -> None:
        """Raise UpstreamError(rate-limited) while the wait that the upstream asked for is not over."""
        left = 0.0 if self._closed_until is None else self._closed_until - time.monotonic()
        if left > 0:
            raise UpstreamError(
                self._upstream,
                Kind.RATE_LIMITED,
                f"{self._upstream} asked us to wait and was not asked again; {duration(left)} are left.",
                reason=Reason.NOT_ASKED,
                retry_after_s=left,
            )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks us to wait; None where it does not say.

    Retry-After is a number, or a date to be compared with the answer's own Date. Where it is missing and no call is
    left, X-RateLimit-Reset counts, if it can only be a number of seconds and not a point in time.
    """
    text = headers.get("retry-after", "").strip()
    if not text and headers.get("x-ratelimit-remaining", "").strip() == "0":
        reset = _number(headers.get("x-ratelimit-reset"))
        text = str(reset) if reset is not None and reset <= LONGEST_WAIT_S else ""
    try:
        seconds = float(text)
    except ValueError:
        asked, said = _moment(text), _moment(headers.get("date", ""))
        if asked is None or said is None:
            return None
        seconds = (asked - said).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def duration(seconds: float) -> str:
    """A length of time in words, rounded up: "45 s", "12 min", "2 h"."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 5400 else f"{math.ceil(seconds / 3600)} h"


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _number(text: str | None) -> int | None:
    stripped = (text or "").strip()
    return int(stripped) if stripped.isascii() and stripped.isdigit() and len(stripped) < 16 else None

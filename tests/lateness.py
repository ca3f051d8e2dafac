"""Looking again where an answer only came too late: on a busy machine that tells nothing of what was looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from services.verdict import Evidence, Verdict

Seen = TypeVar("Seen")
MOST_LOOKS = 3


def late(evidence: Iterable[Evidence]) -> bool:
    """Whether a check among these does not know, for no other reason than that an answer did not come in time."""
    return any(one.verdict is Verdict.UNKNOWN and one.facts.get("kind") == "timeout" for one in evidence)


def in_time(look: Callable[[], Seen], evidence: Callable[[Seen], Iterable[Evidence]]) -> Seen:
    """What is seen: looked at three times at most while an answer is late; whatever else is seen counts at once."""
    for _ in range(MOST_LOOKS - 1):
        seen = look()
        if not late(evidence(seen)):
            return seen
    return look()

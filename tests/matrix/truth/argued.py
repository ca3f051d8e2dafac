"""What can be argued in more than one row, and why."""

from __future__ import annotations

from tests.matrix.claims import FAIL, PASS, UNKNOWN, Argued, claims

HOLDS_OR_UNSEEN = frozenset({PASS, UNKNOWN})
FALSE_OR_UNSEEN = frozenset({FAIL, UNKNOWN})
HOLDS_OR_FALSE = frozenset({PASS, FAIL})

BUILD_NOT_SEEN = Argued(
    claims("schema-compatible"),
    HOLDS_OR_UNSEEN,
    "the tables fit every build; which of them serves can be seen only through the app",
)
LOG_ALONE = Argued(
    claims("cost-matches-log"), HOLDS_OR_UNSEEN, "the log of the days before is right; no new call can be made"
)
NO_TLS = Argued(
    claims("certificate"), HOLDS_OR_UNSEEN, "that the address has no TLS can be read in it, without an answer"
)
BEFORE_THE_PLATFORM = Argued(
    claims("platform-errors response-times"),
    HOLDS_OR_UNSEEN,
    "the fault stands in front of the platform's edge, whose log does not know of it",
)
NOT_HEARD = (BUILD_NOT_SEEN, LOG_ALONE, NO_TLS, BEFORE_THE_PLATFORM)
SAID_LATER = Argued(
    claims("startup-logs"),
    HOLDS_OR_FALSE,
    "the start was clean, and the log quotes errors of later: the title speaks of the one, the sentence of the other",
)
TAKES_LONG = Argued(
    claims("rate-limit response-quality"), HOLDS_OR_UNSEEN, "it takes many calls, each of them slow, and time is short"
)
NO_ENTRY = Argued(
    claims("journal-roundtrip feedback-stored ai-answers"),
    FALSE_OR_UNSEEN,
    "nobody can do it now, and nothing was written that could be looked for",
)
DATE_OF_ANOTHER = Argued(
    claims("clock-agrees"), HOLDS_OR_UNSEEN, "an answer that is not the app's own bears a date, too"
)
OURS_IS_SLOW = Argued(
    claims("slow-statements"), HOLDS_OR_FALSE, "the statements that the fault makes slow are slow statements"
)
NOTHING_TO_TRY = Argued(
    claims("feedback-stored ai-answers"),
    FALSE_OR_UNSEEN,
    "nobody can have it now, since no entry can be written that it could be about; it was not tried itself",
)

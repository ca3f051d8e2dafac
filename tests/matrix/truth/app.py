"""The app's address: what only the app can tell is unseen where the answer bears no word of the app."""

from __future__ import annotations

from tests.matrix.claims import APP_ROWS, COMPANION, THROUGH_THE_APP, Argued, Row, claims
from tests.matrix.truth.argued import (
    BUILD_NOT_SEEN,
    DATE_OF_ANOTHER,
    FALSE_OR_UNSEEN,
    HOLDS_OR_FALSE,
    HOLDS_OR_UNSEEN,
    LOG_ALONE,
    NO_ENTRY,
    NO_TLS,
    NOT_HEARD,
    NOTHING_TO_TRY,
)


def nobody_serves(fault: str, world: str) -> Row:
    """No process of the app is there, and the platform says so itself, with a page of its own."""
    return Row(
        fault,
        world,
        false=claims("api-answers deployment-state"),
        unseen=(COMPANION - {"ai-answers"}) | claims("admin-public admin-role clock-agrees"),
        argued=(
            BUILD_NOT_SEEN,
            LOG_ALONE,
            NO_TLS,
            Argued(
                claims("docs-served route-inventory ai-answers") | APP_ROWS,
                FALSE_OR_UNSEEN,
                "the platform itself says that no app is there: not so, or not seen",
            ),
            Argued(claims("platform-errors"), FALSE_OR_UNSEEN, "who looks in gets 502, whether or not it is logged"),
            Argued(
                claims("startup-logs restart-loop"),
                HOLDS_OR_FALSE,
                "it started well and ended later, once",
            ),
            Argued(claims("response-times"), HOLDS_OR_UNSEEN, "those of before were quick; nothing answers now"),
        ),
    )


ROWS = (
    Row(
        "api-timeout",
        "The address takes requests and never answers.",
        unseen=THROUGH_THE_APP,
        argued=NOT_HEARD,
        silent=True,
    ),
    Row(
        "app-unreachable",
        "Nothing listens at the address.",
        unseen=THROUGH_THE_APP - {"api-answers"},
        argued=(
            *NOT_HEARD,
            Argued(claims("api-answers"), FALSE_OR_UNSEEN, "no process answers, or our way there is broken"),
        ),
        silent=True,
    ),
    nobody_serves("app-crashed", "The process has ended; the platform answers 502 with a page of its own."),
    Row(
        "app-server-error",
        "Every route answers 500.",
        false=claims("api-answers docs-served platform-errors") | APP_ROWS - {"feedback-stored"},
        unseen=(COMPANION - {"ai-answers"}) | claims("admin-public admin-role"),
        argued=(
            BUILD_NOT_SEEN,
            LOG_ALONE,
            NOTHING_TO_TRY,
            Argued(claims("route-inventory"), FALSE_OR_UNSEEN, "no route works, and the list of routes is not given"),
            Argued(claims("clock-agrees"), HOLDS_OR_UNSEEN, "an answer of 500 bears a date too"),
        ),
    ),
    Row(
        "app-web-page",
        "Somebody's web page is answered with 200 for everything.",
        unseen=THROUGH_THE_APP - {"clock-agrees"},
        argued=(*NOT_HEARD, DATE_OF_ANOTHER),
        silent=True,
    ),
    Row(
        "app-broken-json",
        "Every answer is cut off.",
        unseen=THROUGH_THE_APP - {"clock-agrees"},
        argued=(*NOT_HEARD, DATE_OF_ANOTHER),
        silent=True,
    ),
    Row(
        "app-wrong-type",
        "Every answer is JSON of another type than was asked for.",
        unseen=THROUGH_THE_APP - {"clock-agrees"},
        argued=(*NOT_HEARD, DATE_OF_ANOTHER),
        silent=True,
    ),
    Row(
        "app-rate-limited",
        "Every request is refused with 429: nobody is let in.",
        unseen=THROUGH_THE_APP - {"clock-agrees"},
        argued=(*NOT_HEARD, DATE_OF_ANOTHER),
    ),
    Row(
        "app-needs-token",
        "Every request without a token that it knows is refused with 401.",
        unseen=THROUGH_THE_APP - claims("clock-agrees admin-public admin-role"),
        argued=(
            *NOT_HEARD,
            DATE_OF_ANOTHER,
            Argued(
                claims("admin-public admin-role"),
                HOLDS_OR_UNSEEN,
                "refused as everything is, /health too: that it is the admin numbers' own doing cannot be seen",
            ),
        ),
    ),
    Row(
        "app-slow",
        "Each answer comes six seconds late; the team's alarm is at five.",
        false=claims("response-times"),
        argued=(
            BUILD_NOT_SEEN,
            LOG_ALONE,
            NO_TLS,
            Argued(claims("api-answers ai-answers"), FALSE_OR_UNSEEN, "it answers later than the alarm allows"),
            Argued(
                (THROUGH_THE_APP - claims("api-answers ai-answers admin-public admin-role")),
                HOLDS_OR_UNSEEN,
                "all is as it should be, for those who have the time to wait",
            ),
            Argued(claims("admin-public"), FALSE_OR_UNSEEN, "as in the healthy world, for those who can wait"),
        ),
    ),
    Row(
        "app-reply-lost",
        "What is sent takes effect, and the connection drops before the reply.",
        unseen=COMPANION - {"ai-answers"},
        argued=(
            NO_ENTRY,
            LOG_ALONE,
            Argued(claims("route-inventory"), HOLDS_OR_UNSEEN, "seen: routes that are only sent to are not heard"),
        ),
    ),
)

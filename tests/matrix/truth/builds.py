"""Builds of the app that do not start, lack a part, or do something else than they say."""

from __future__ import annotations

from tests.matrix.claims import APP_ROWS, COMPANION, FAIL, PASS, UNKNOWN, Argued, Row, claims
from tests.matrix.truth.argued import (
    FALSE_OR_UNSEEN,
    HOLDS_OR_FALSE,
    HOLDS_OR_UNSEEN,
    LOG_ALONE,
    SAID_LATER,
)

# The old build serves: no feedback, no admin, canned words, nothing logged, nobody refused. Its journal is well.
OLD_SERVES = claims(
    "route-inventory ai-quality ai-app-key response-quality feedback-stored analytics-arrive admin-numbers rate-limit"
)
NOTHING_TO_PROTECT = claims("admin-public admin-role")
NEW_DOES_NOT_START = OLD_SERVES | claims("deployment-state startup-logs")
ONE_PART_MISSING = Argued(
    claims("startup-logs"), HOLDS_OR_FALSE, "it started without a part, and its log says which: clean or not"
)
ROWS = (
    Row(
        "missing-dependency",
        "A package is not in the newest image: it cannot be imported, and the old build serves.",
        false=NEW_DOES_NOT_START | claims("dependency-pins"),
        unseen=NOTHING_TO_PROTECT,
    ),
    Row(
        "renamed-class",
        "The newest build imports a name that is no longer there; the old build serves.",
        false=NEW_DOES_NOT_START,
        unseen=NOTHING_TO_PROTECT,
    ),
    Row(
        "bad-settings",
        "A variable is there and malformed; the newest build does not start, the old build serves.",
        false=NEW_DOES_NOT_START,
        unseen=NOTHING_TO_PROTECT,
    ),
    Row(
        "variable-missing",
        "SECRET_KEY is not set; the newest build does not start, the old build serves.",
        false=NEW_DOES_NOT_START | claims("env-names"),
        unseen=NOTHING_TO_PROTECT,
    ),
    Row(
        "router-missing",
        "The admin routes failed to load, and the build started without them.",
        false=claims("route-inventory admin-numbers"),
        unseen=NOTHING_TO_PROTECT,
        argued=(ONE_PART_MISSING,),
    ),
    Row(
        "feedback-router-missing",
        "The feedback route failed to load, and the build started without it.",
        false=claims("route-inventory feedback-stored"),
        argued=(ONE_PART_MISSING,),
    ),
    Row(
        "old-build-serves",
        "The release is in the database, and the old build serves.",
        false=OLD_SERVES,
        unseen=NOTHING_TO_PROTECT,
        argued=(
            Argued(
                claims("deployment-state"), HOLDS_OR_FALSE, "the newest deployment serves, and it is of the old commit"
            ),
            Argued(
                claims("dependency-pins"),
                FALSE_OR_UNSEEN,
                "the old build needs none of the pinned packages, and so its log names none",
            ),
        ),
    ),
    Row(
        "feedback-not-stored",
        "Feedback is answered with 200 and stored nowhere.",
        false=claims("feedback-stored"),
    ),
    Row(
        "journal-not-stored",
        "A new entry is answered with 200 and stored nowhere.",
        false=claims("journal-roundtrip"),
        unseen=claims("ai-quality ai-app-key response-quality analytics-arrive rate-limit"),
        argued=(
            LOG_ALONE,
            Argued(
                claims("ai-answers feedback-stored"),
                FALSE_OR_UNSEEN,
                "there is no entry that could be answered or judged, though the app said so",
            ),
        ),
    ),
    Row(
        "journal-reads-stale",
        "Entries are stored and read back as they were some time ago.",
        false=claims("journal-roundtrip"),
        argued=(
            Argued(
                COMPANION | APP_ROWS - claims("journal-roundtrip admin-numbers"),
                frozenset({PASS, FAIL, UNKNOWN}),
                "it depends on which read of the app is old",
            ),
        ),
    ),
    Row("stats-wrong", "The statistics are those of somebody else.", false=claims("stats-answer")),
    Row(
        "admin-error",
        "Every admin route answers 500.",
        false=claims("route-inventory admin-numbers platform-errors"),
        unseen=claims("admin-public admin-role"),
        argued=(SAID_LATER,),
    ),
    Row("admin-numbers-wrong", "The admin numbers are not those of the log.", false=claims("admin-numbers")),
    Row(
        "rls-blocks-backend",
        "The service key is gone from the variables: the build uses the anon key, and the rows are hidden from it.",
        false=claims("env-names admin-numbers analytics-arrive feedback-stored rate-limit"),
        argued=(SAID_LATER,),
    ),
    Row(
        "ai-code-bug",
        "The companion's code fails with a good key: its words are canned.",
        false=claims("ai-quality ai-app-key response-quality"),
        argued=(
            SAID_LATER,
            Argued(claims("analytics-arrive"), HOLDS_OR_FALSE, "a call that was never made need not be logged"),
            Argued(claims("rate-limit"), HOLDS_OR_FALSE, "a call that was never made need not be counted"),
        ),
    ),
    Row(
        "usage-writer-broken",
        "What writes the usage log fails, and nobody is told.",
        false=claims("analytics-arrive rate-limit"),
        argued=(SAID_LATER, LOG_ALONE),
    ),
    Row("cost-wrong", "Costs are logged by another price table.", false=claims("cost-matches-log")),
    Row("rate-limit-off", "No AI call is ever refused.", false=claims("rate-limit")),
    Row(
        "restart-loop",
        "The process dies some seconds after each start and is started again.",
        false=claims("restart-loop"),
        argued=(
            Argued(
                claims("api-answers docs-served route-inventory clock-agrees schema-compatible cost-matches-log")
                | APP_ROWS
                | COMPANION,
                frozenset({PASS, FAIL, UNKNOWN}),
                "it is so while the process lives, and not while it does not",
            ),
            Argued(claims("admin-public"), FALSE_OR_UNSEEN, "as in the healthy world, while the process lives"),
            Argued(
                claims("deployment-state startup-logs platform-errors response-times"),
                frozenset({PASS, FAIL, UNKNOWN}),
                "it depends on the moment at which one looks",
            ),
        ),
    ),
    Row(
        "app-on-other-database",
        "The app reads and writes another project; ours is whole and nobody uses it.",
        false=claims("journal-roundtrip stats-answer admin-numbers"),
        argued=(
            LOG_ALONE,
            Argued(
                claims("feedback-stored analytics-arrive rate-limit"),
                FALSE_OR_UNSEEN,
                "none of it comes here; no more is tried where what is written could not be removed",
            ),
            Argued(
                claims("ai-answers ai-quality ai-app-key response-quality"),
                HOLDS_OR_UNSEEN,
                "the companion is well, over rows that we cannot see or remove",
            ),
        ),
    ),
)

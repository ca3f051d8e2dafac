"""The database: down, hanging, full, locked, or of another shape and with other rows than the app counts on."""

from __future__ import annotations

from tests.matrix.claims import BY_REST, COMPANION, FAIL, PASS, SQL, UNKNOWN, Argued, Row, claims
from tests.matrix.truth.argued import FALSE_OR_UNSEEN, HOLDS_OR_FALSE, HOLDS_OR_UNSEEN, LOG_ALONE, SAID_LATER
from tests.matrix.truth.supabase import WORTH_UNSEEN

NO_SQL = SQL - claims("database-direct connection-kind")
KIND_BY_ADDRESS = Argued(claims("connection-kind"), HOLDS_OR_UNSEEN, "the kind can be read in the address")
DIRECT = Argued(claims("database-direct"), FALSE_OR_UNSEEN, "no statement runs; the fault may be on our way there")
NO_WAY_TO_LOOK = Argued(
    claims("journal-roundtrip feedback-stored admin-numbers ai-answers"),
    FALSE_OR_UNSEEN,
    "the app cannot do it, and we cannot look or write there ourselves",
)
RESTS_ON_IT = Argued(
    claims("auth-answers supabase-advisors supabase-log-errors"),
    frozenset({PASS, FAIL, UNKNOWN}),
    "whether Auth and the Management API need the database for it is theirs to know",
)
ANY = frozenset({PASS, FAIL, UNKNOWN})

ROWS = (
    Row(
        "database-down",
        "The database server is stopped; REST and the app stay, and have no rows.",
        false=claims("route-inventory stats-answer platform-errors supabase-project"),
        unseen=NO_SQL | BY_REST | WORTH_UNSEEN | claims("cost-matches-log"),
        argued=(KIND_BY_ADDRESS, DIRECT, NO_WAY_TO_LOOK, RESTS_ON_IT, SAID_LATER),
        silent=True,
    ),
    Row(
        "database-hangs",
        "The database takes connections and answers nothing.",
        unseen=NO_SQL | BY_REST | WORTH_UNSEEN | claims("cost-matches-log"),
        argued=(
            KIND_BY_ADDRESS,
            DIRECT,
            NO_WAY_TO_LOOK,
            RESTS_ON_IT,
            SAID_LATER,
            Argued(
                claims("route-inventory stats-answer supabase-project"),
                FALSE_OR_UNSEEN,
                "whoever waits for a row has not been answered yet",
            ),
            Argued(claims("platform-errors response-times"), ANY, "those who wait have not been answered yet"),
        ),
        silent=True,
    ),
    Row(
        "database-read-only",
        "Nothing can be written, as when the disk is full; everything can be read.",
        false=claims("database-writable journal-roundtrip feedback-stored"),
        unseen=COMPANION - {"ai-answers"},
        argued=(
            LOG_ALONE,
            SAID_LATER,
            Argued(claims("ai-answers"), FALSE_OR_UNSEEN, "no entry can be written to be answered"),
            Argued(claims("admin-numbers"), HOLDS_OR_UNSEEN, "the numbers are right; no row of ours can be among them"),
            Argued(
                claims("function-probe trigger-probe verification-clean disk-space tiers-match-rule"),
                ANY,
                "what is tried by writing cannot be tried, and is no longer so",
            ),
            Argued(claims("platform-errors"), HOLDS_OR_FALSE, "only those who write get an error"),
        ),
    ),
    Row(
        "connections-exhausted",
        "No connection is left for anybody new; who has one keeps it.",
        unseen=NO_SQL - {"connections-left"},
        argued=(
            KIND_BY_ADDRESS,
            DIRECT,
            NO_WAY_TO_LOOK,
            RESTS_ON_IT,
            SAID_LATER,
            Argued(claims("connections-left"), FALSE_OR_UNSEEN, "none is left, so nobody can count them"),
            Argued(
                BY_REST - {"anon-reads-journal"} | claims("cost-matches-log"),
                FALSE_OR_UNSEEN,
                "REST may have connections of its own, and we have none to compare with",
            ),
            Argued(
                claims("route-inventory stats-answer supabase-project platform-errors anon-reads-journal admin-public"),
                ANY,
                "it depends on whether REST holds a connection",
            ),
            Argued(COMPANION - {"ai-answers"}, FALSE_OR_UNSEEN, "we cannot look or write there ourselves"),
        ),
    ),
    Row(
        "table-locked",
        "Somebody holds an exclusive lock on a table of the app for long.",
        false=claims("locks-held"),
    ),
    Row(
        "our-database-login-rejected",
        "The database rejects our login; the app and REST have their own.",
        unseen=NO_SQL,
        argued=(KIND_BY_ADDRESS, DIRECT),
    ),
    Row(
        "column-renamed",
        "journal_entries.mood_level is now mood_score.",
        false=claims("schema-compatible release-schema"),
    ),
    Row("column-type-changed", "A column has another type.", false=claims("schema-compatible release-schema")),
    Row(
        "table-missing",
        "ai_feedback has been dropped.",
        false=claims("schema-compatible release-schema feedback-stored"),
    ),
    Row(
        "tier-function-broken",
        "get_user_tier_info fails with 42804 when it is called.",
        false=claims("function-probe tiers-match-rule verification-clean"),
    ),
    Row("tiers-wrong", "Premium users have been demoted.", false=claims("tiers-match-rule")),
    Row("sign-up-broken", "A trigger on sign-up inserts a column that is not there.", false=claims("trigger-probe")),
    Row("quota-trigger-off", "The trigger that keeps the quotas is off.", false=claims("trigger-probe rate-limit")),
    Row(
        "view-fan-out", "A view joins entries with logs, which multiplies the cost.", false=claims("verification-clean")
    ),
    Row("release-readable-by-anon", "Strangers may read the release's tables.", false=claims("anon-reads-nothing")),
    Row("usage-stale", "No new usage has been logged for days."),
)

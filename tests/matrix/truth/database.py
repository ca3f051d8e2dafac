"""The database: down, hanging, full, locked, or of another shape and with other rows than the app counts on."""

from __future__ import annotations

from tests.matrix.claims import APP_ROWS, BY_REST, COMPANION, FAIL, PASS, SQL, UNKNOWN, Argued, Row, claims
from tests.matrix.truth.argued import (
    FALSE_OR_UNSEEN,
    HOLDS_OR_FALSE,
    HOLDS_OR_UNSEEN,
    LOG_ALONE,
    NO_ENTRY,
    NOTHING_TO_TRY,
    SAID_LATER,
)
from tests.matrix.truth.supabase import WORTH_UNSEEN

NO_SQL = SQL - claims("database-direct")
TOLD_ELSEWHERE = Argued(
    claims("rehearsal-fresh disk-space"),
    HOLDS_OR_UNSEEN,
    "our store and the platform tell of it; that it is about the database of now is not seen",
)
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
        argued=(TOLD_ELSEWHERE, DIRECT, NO_WAY_TO_LOOK, RESTS_ON_IT, SAID_LATER),
        silent=True,
    ),
    Row(
        "database-hangs",
        "The database takes connections and answers nothing.",
        unseen=NO_SQL | BY_REST | WORTH_UNSEEN | claims("cost-matches-log"),
        argued=(
            TOLD_ELSEWHERE,
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
        false=claims("database-writable"),
        unseen=COMPANION - {"ai-answers"},
        argued=(
            LOG_ALONE,
            SAID_LATER,
            NO_ENTRY,
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
        argued=(
            Argued(
                NO_SQL - {"connections-left"},
                HOLDS_OR_UNSEEN,
                "nobody new gets in, but for who comes just when REST gives one of its own back",
            ),
            TOLD_ELSEWHERE,
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
        "Somebody holds an exclusive lock on the journal: whoever reads or writes it waits for ever.",
        false=claims("locks-held"),
        unseen=claims("stats-answer admin-numbers anon-reads-journal service-reads-all verification-clean usage-recent")
        | COMPANION - {"ai-answers"},
        argued=(
            LOG_ALONE,
            Argued(
                claims("journal-roundtrip feedback-stored ai-answers route-inventory"),
                FALSE_OR_UNSEEN,
                "nobody has an answer; it may still come",
            ),
            Argued(
                claims("anon-reads-nothing authenticated-reads-own database-rest schema-compatible")
                | claims("tiers-match-rule function-probe trigger-probe"),
                HOLDS_OR_UNSEEN,
                "the journal is not what it is about; whoever asks beside those who wait may have to wait as well",
            ),
            Argued(claims("admin-public"), FALSE_OR_UNSEEN, "as in the healthy world, where it does not have to wait"),
            Argued(
                claims("platform-errors response-times slow-statements connections-left supabase-project"),
                ANY,
                "it depends on how long those who wait have waited, and how many they are",
            ),
        ),
        silent=True,
    ),
    Row(
        "our-database-login-rejected",
        "The database rejects our reader's password; the app, REST and the release's owner have their own.",
        argued=(
            TOLD_ELSEWHERE,
            DIRECT,
            Argued(
                SQL - claims("database-direct clock-agrees")
                | BY_REST - {"anon-reads-journal"}
                | COMPANION
                | APP_ROWS
                | claims("cost-matches-log clock-agrees"),
                HOLDS_OR_UNSEEN,
                "one of our two ways in is shut: what is asked by the other is seen",
            ),
            Argued(claims("supabase-project"), HOLDS_OR_FALSE, "seen: this world's platform looks with the same login"),
            Argued(claims("supabase-advisors"), FALSE_OR_UNSEEN, "the same; as in the healthy world where it can look"),
        ),
    ),
    Row(
        "column-renamed",
        "journal_entries.mood_level is now mood_score: no entry can be written, none can be summed up.",
        false=claims("schema-compatible release-schema journal-roundtrip route-inventory platform-errors"),
        unseen=COMPANION - {"ai-answers"},
        argued=(
            LOG_ALONE,
            NOTHING_TO_TRY,
            SAID_LATER,
            Argued(claims("stats-answer"), FALSE_OR_UNSEEN, "the app has none, and ours cannot be summed up either"),
        ),
    ),
    Row(
        "column-type-changed",
        "journal_entries.energy_level is a number with a decimal now, and any number is taken.",
        false=claims("schema-compatible release-schema"),
    ),
    Row(
        "table-missing",
        "ai_feedback has been dropped, and with it the views on it: two of the admin's reports answer 500.",
        false=claims(
            "schema-compatible release-schema feedback-stored route-inventory admin-numbers verification-clean"
            " function-probe"
        ),
        argued=(
            SAID_LATER,
            Argued(claims("platform-errors"), HOLDS_OR_FALSE, "only who asks for those two reports gets an error"),
            Argued(
                claims("service-reads-all anon-reads-nothing authenticated-reads-own"),
                frozenset({PASS, FAIL, UNKNOWN}),
                "of what is there it is so; one of the tables it is about is not there",
            ),
        ),
    ),
    Row(
        "tier-function-broken",
        "get_user_tier_info fails with 42804 when it is called.",
        false=claims("function-probe tiers-match-rule verification-clean"),
    ),
    Row(
        "tiers-wrong",
        "get_user_tier_info no longer knows the premium tier.",
        false=claims("tiers-match-rule verification-clean"),
    ),
    Row("sign-up-broken", "A trigger on sign-up inserts a column that is not there.", false=claims("trigger-probe")),
    Row(
        "quota-trigger-off",
        "The trigger that keeps the quotas is off: calls are logged, not counted, and so never refused.",
        false=claims("trigger-probe rate-limit verification-clean"),
    ),
    Row(
        "view-fan-out",
        "beta_user_engagement joins entries with calls, which multiplies calls, tokens and cost; an admin reads it.",
        false=claims("verification-clean admin-numbers"),
    ),
    Row(
        "release-readable-by-anon",
        "Row-level security of the release's tables is off, and strangers may read them; so may whoever is signed in.",
        false=claims("anon-reads-nothing authenticated-reads-own verification-clean"),
    ),
    Row(
        "usage-stale",
        "No new usage has been logged for days, while people go on writing: what is there is right, and old.",
        false=claims("usage-recent"),
    ),
)

"""Supabase: the app has no other way to its rows than REST, and says 500 where it gets none; we have SQL besides."""

from __future__ import annotations

from tests.matrix.claims import APP_ROWS, BY_MANAGEMENT, BY_REST, COMPANION, FAIL, PASS, UNKNOWN, Argued, Row, claims
from tests.matrix.truth.argued import (
    FALSE_OR_UNSEEN,
    HOLDS_OR_FALSE,
    HOLDS_OR_UNSEEN,
    LOG_ALONE,
    NOTHING_TO_TRY,
    SAID_LATER,
)

# The app answers 500 wherever it needs a row; what its AI is worth cannot be seen without an entry.
NO_ROWS_FOR_THE_APP = claims("route-inventory platform-errors") | APP_ROWS - {"feedback-stored"}
WORTH_UNSEEN = (COMPANION - {"ai-answers"}) | claims("admin-public admin-role")
SHOWS_NOTHING = Argued(
    claims("database-rest service-reads-all"), FALSE_OR_UNSEEN, "REST shows no row; whether it would is not told"
)
OURS_BY_REST = claims("anon-reads-nothing anon-reads-journal authenticated-reads-own")
AUTH_WITH_IT = Argued(claims("auth-answers"), FALSE_OR_UNSEEN, "nobody can sign in; the refusal is not Auth's own")


def rest_refuses(
    fault: str, world: str, *argued: Argued, also: frozenset[str] = frozenset(), silent: bool = False
) -> Row:
    """REST gives neither the app nor us a row. also: what is false besides; silent: its answers are nonsense to us."""
    if silent:
        return Row(
            fault,
            world,
            false=NO_ROWS_FOR_THE_APP,
            unseen=WORTH_UNSEEN | BY_REST,
            argued=(LOG_ALONE, NOTHING_TO_TRY, SAID_LATER, *argued),
            silent=True,
        )
    return Row(
        fault,
        world,
        false=NO_ROWS_FOR_THE_APP | also,
        unseen=WORTH_UNSEEN | OURS_BY_REST,
        argued=(LOG_ALONE, NOTHING_TO_TRY, SAID_LATER, SHOWS_NOTHING, *argued),
    )


def management_mute(fault: str, world: str, *, silent: bool) -> Row:
    """The Management API says nothing that could be understood; the project itself is well."""
    return Row(fault, world, unseen=BY_MANAGEMENT, silent=silent)


ROWS = (
    rest_refuses(
        "supabase-paused",
        "The project is paused: REST and Auth answer 540, the Management API says INACTIVE.",
        AUTH_WITH_IT,
        Argued(BY_MANAGEMENT - {"supabase-project"}, HOLDS_OR_UNSEEN, "what is kept of a project that sleeps"),
        also=claims("supabase-project"),
    ),
    Row(
        "supabase-key-rejected",
        "The gateway no longer takes the service keys, the app's and ours; the public key is good.",
        false=NO_ROWS_FOR_THE_APP,
        unseen=WORTH_UNSEEN,
        argued=(LOG_ALONE, NOTHING_TO_TRY, SAID_LATER, SHOWS_NOTHING),
    ),
    Row(
        "supabase-app-key-rejected",
        "The gateway no longer takes the app's service key; ours is good.",
        false=NO_ROWS_FOR_THE_APP,
        unseen=WORTH_UNSEEN,
        argued=(LOG_ALONE, NOTHING_TO_TRY, SAID_LATER),
    ),
    Row(
        "supabase-our-key-rejected",
        "The gateway no longer takes our service key; the app's is good.",
        argued=(SHOWS_NOTHING,),
    ),
    Row(
        "supabase-rest-timeout",
        "REST takes calls and never answers; the app waits eight seconds before it says 500; the platform has noticed.",
        false=claims("supabase-project"),
        unseen=WORTH_UNSEEN | BY_REST,
        argued=(
            LOG_ALONE,
            SAID_LATER,
            Argued(
                claims("route-inventory ai-answers") | APP_ROWS,
                FALSE_OR_UNSEEN,
                "the app's 500 comes at the moment at which we stop waiting for it",
            ),
            Argued(
                claims("platform-errors response-times"),
                frozenset({PASS, FAIL, UNKNOWN}),
                "those who wait have not been answered yet",
            ),
        ),
        silent=True,
    ),
    rest_refuses(
        "supabase-rest-error",
        "REST answers 503, and the platform has noticed.",
        also=claims("supabase-project"),
    ),
    rest_refuses("supabase-rest-web-page", "A web page is answered with 200 in REST's place.", silent=True),
    rest_refuses("supabase-rest-broken-json", "REST's answers are cut off.", silent=True),
    rest_refuses("supabase-rest-rate-limited", "REST refuses every call with 429."),
    Row(
        "supabase-auth-down",
        "Auth does not answer; REST does.",
        unseen=claims("authenticated-reads-own"),
        argued=(
            Argued(claims("auth-answers"), FALSE_OR_UNSEEN, "nobody can sign in; nothing says why"),
            Argued(claims("supabase-project"), HOLDS_OR_FALSE, "it depends on whether the platform has noticed"),
        ),
    ),
    Row(
        "row-cap",
        "REST gives no more than a few rows for any question; what the app averages and sums is of those few.",
        false=claims("service-reads-all stats-answer admin-numbers"),
        argued=(
            Argued(claims("database-rest"), HOLDS_OR_FALSE, "it gives few rows and tells the true number of them"),
            Argued(claims("journal-roundtrip"), HOLDS_OR_FALSE, "the app's list is cut; who wrote last is still in it"),
        ),
    ),
    Row(
        "grants-missing",
        "The service key has no right on the release's tables: the app shows zeros, and logs and counts nothing.",
        false=claims("service-reads-all admin-numbers analytics-arrive feedback-stored rate-limit verification-clean"),
        argued=(SAID_LATER,),
    ),
    Row(
        "schema-cache-stale",
        "REST does not know the release's tables: PGRST205; admin routes answer 500, nothing is logged or counted.",
        false=claims(
            "service-reads-all admin-numbers analytics-arrive feedback-stored rate-limit route-inventory"
            " platform-errors"
        ),
        unseen=claims("admin-public anon-reads-nothing authenticated-reads-own"),
        argued=(SAID_LATER,),
    ),
    management_mute("management-token-rejected", "Our access token is not accepted: 401.", silent=False),
    management_mute("management-forbidden", "Our access token lacks the rights: 403.", silent=False),
    management_mute("management-timeout", "The Management API never answers.", silent=True),
    management_mute("management-rate-limited", "The Management API refuses every call with 429.", silent=False),
    management_mute("management-web-page", "A web page is answered with 200.", silent=True),
    Row("backup-missing", "There is no backup.", false=claims("backup-fresh")),
    Row("backup-failed", "Every backup of the week has failed.", false=claims("backup-fresh")),
    Row("backup-old", "The newest backup is days old.", false=claims("backup-fresh")),
    Row(
        "supabase-service-unhealthy",
        "One of the project's services says that it is not healthy.",
        false=claims("supabase-project"),
    ),
)

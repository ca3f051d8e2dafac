"""The claims that checks make about the world, grouped by what has to be seen, and the cells of a table of truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.verdict import Verdict

Allowed = frozenset[Verdict]
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
HOLDS: Allowed = frozenset({PASS})
FALSE: Allowed = frozenset({FAIL})
UNSEEN: Allowed = frozenset({UNKNOWN})


def claims(text: str) -> frozenset[str]:
    """The ids in a line of text."""
    return frozenset(text.split())


# What the app alone can tell: its own words, its rows as it shows them, its companion.
APP_WORDS = claims("api-answers docs-served route-inventory admin-public admin-role")
APP_ROWS = claims("stats-answer journal-roundtrip feedback-stored admin-numbers")
COMPANION = claims("ai-answers ai-quality ai-app-key response-quality analytics-arrive rate-limit")
THROUGH_THE_APP = APP_WORDS | APP_ROWS | COMPANION | {"clock-agrees"}

# What only a statement on the database itself can tell. Some need the app or REST besides; they are in both groups.
CATALOGUE = claims("schema-compatible release-schema")
RELEASE_ROWS = claims("quota-matches-log usage-recent tiers-match-rule function-probe trigger-probe verification-clean")
SERVER = claims("database-direct connections-left slow-statements cache-hit database-writable locks-held clock-agrees")
SQL = CATALOGUE | RELEASE_ROWS | SERVER | claims("release-receipt connection-kind")

BY_REST = claims("database-rest anon-reads-nothing anon-reads-journal service-reads-all authenticated-reads-own")
BY_AUTH = claims("auth-answers authenticated-reads-own")
BY_MANAGEMENT = claims("supabase-project backup-fresh supabase-advisors supabase-log-errors disk-space")
BY_RAILWAY = claims(
    "deployment-state startup-logs restart-loop env-names dependency-pins healthcheck-settings response-times"
    " platform-errors railway-calls-left"
)
BY_OUR_OPENAI_KEY = claims("openai-key openai-model openai-limits")
STATUS_PAGES = claims("railway-status supabase-status openai-status")
OUR_STORE = claims("rehearsal-fresh backup-proved")

ALL_CLAIMS = (
    THROUGH_THE_APP
    | SQL
    | BY_REST
    | BY_AUTH
    | BY_MANAGEMENT
    | BY_RAILWAY
    | BY_OUR_OPENAI_KEY
    | STATUS_PAGES
    | OUR_STORE
    | claims("certificate cost-matches-log")
)


@dataclass(frozen=True, slots=True)
class Argued:
    """Claims about which two verdicts can be defended, and why; a pass among them never covers a false claim."""

    claims: frozenset[str]
    allowed: Allowed
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: what it does to the world, and so which claims are false there, or cannot be seen.

    true: claims that this fault makes true though the healthy world finds them false or cannot see them
    silent: something we ask gives no answer, or one that nobody can understand: what cannot be seen for that reason
        counts for the rule that time-outs and nonsense are unknown
    """

    fault: str
    world: str
    false: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    argued: tuple[Argued, ...] = ()
    true: frozenset[str] = frozenset()
    silent: bool = False

    def named(self) -> list[str]:
        """Every claim that the row names, as often as it does."""
        groups: list[Iterable[str]] = [self.false, self.unseen, self.true, *(one.claims for one in self.argued)]
        return [claim for group in groups for claim in group]


@dataclass(frozen=True, slots=True)
class Cell:
    """What may be said about one claim under one fault. reason: set where more than one verdict can be defended."""

    allowed: Allowed
    reason: str = ""
    silent: bool = False


# What the healthy world is known for: each of these is so, and is no fault of ours or of the check.
KNOWN: Mapping[str, tuple[Verdict, str]] = {
    "admin-public": (FAIL, "the beta build asks nobody for a token, and so shows its admin numbers to everybody"),
    "admin-role": (UNKNOWN, "where no token is asked for, a token with a made-up role shows nothing"),
    "anon-reads-journal": (FAIL, "row-level security of the journal is off, before the release and after it"),
    "backup-proved": (UNKNOWN, "no backup of our own has been taken of that world"),
    "supabase-advisors": (FAIL, "and so it is of three more tables of before; Supabase's own advisors say so too"),
}


def healthy(claim: str) -> Allowed:
    """What the healthy world gives."""
    return frozenset({KNOWN[claim][0]}) if claim in KNOWN else HOLDS


def cell(row: Row, claim: str) -> Cell:
    """The truth about a claim under the row's fault."""
    if claim in row.false:
        return Cell(FALSE)
    if claim in row.unseen:
        return Cell(UNSEEN, silent=row.silent)
    if claim in row.true:
        return Cell(HOLDS)
    for one in row.argued:
        if claim in one.claims:
            return Cell(one.allowed, one.reason)
    return Cell(healthy(claim))

"""What PulseCheck's own checks prove, need, touch and cost: those of its address, its journal, its AI, its numbers."""

from __future__ import annotations

from collections.abc import Callable

from apps.pulsecheck.callers import Purpose
from apps.pulsecheck.checks.admin import admin_public, admin_role
from apps.pulsecheck.checks.admin_numbers import admin_numbers
from apps.pulsecheck.checks.ai import ai_answers, ai_quality, analytics_arrive, cost_matches_log
from apps.pulsecheck.checks.api import api_answers, docs_served, route_inventory
from apps.pulsecheck.checks.app_key import ai_app_key
from apps.pulsecheck.checks.journal import feedback_stored, journal_roundtrip, stats_answer
from apps.pulsecheck.checks.limits import MOST_CALLS, rate_limit
from apps.pulsecheck.checks.quality import response_quality
from apps.pulsecheck.checks.without_writing import admin_numbers_as_they_stand, journal_as_it_stands
from services.checks.context import CheckContext
from services.checks.registry import DAY_S, CheckSpec, Cost
from services.settings import Level
from services.verdict import Finding

API = ("app",)
ENTRIES, LOG = "journal_entries", "ai_usage_logs"
CROWD = "so many new entries that others fall off the list"
ROWS = ("app", "database")
NEEDS_ROWS = ("app_url", "database_url")


def specs() -> list[CheckSpec]:
    """The checks that go through the app itself, in the order in which they are shown."""
    return [*_api(), *_probes()]


def _api() -> list[CheckSpec]:
    return [
        CheckSpec(
            "api-answers",
            "A live process answers",
            "A process of ours answers now, not a cache or an error page; the words of /health are ignored.",
            api_answers,
            ("before", "after", "hour"),
            API,
            ("app_url",),
            Level.LOOK,
            cost=Cost(2),
            expires_s=300,
        ),
        CheckSpec(
            "docs-served",
            "API documentation is served",
            "The documentation page and the list of paths are there.",
            docs_served,
            ("after",),
            API,
            ("app_url",),
            Level.LOOK,
            cost=Cost(2),
        ),
        CheckSpec(
            "route-inventory",
            "The release's routes are loaded",
            "Which build serves, by its paths: the only outside sign of it.",
            route_inventory,
            ("before", "after"),
            API,
            ("app_url",),
            Level.LOOK,
            cost=Cost(10),
            expires_s=300,
        ),
        CheckSpec(
            "stats-answer",
            "Statistics equal the entries",
            "The total in the statistics is the number of rows in the database.",
            stats_answer,
            ("after",),
            ROWS,
            NEEDS_ROWS,
            counts=(ENTRIES,),
            cost=Cost(3),
        ),
        CheckSpec(
            "admin-public",
            "Admin numbers need a token",
            "A caller without a token is refused.",
            admin_public,
            ("after", "day"),
            API,
            ("app_url",),
            Level.LOOK,
            blocking=False,
            expires_s=DAY_S,
        ),
    ]


def _probes() -> list[CheckSpec]:
    """Checks that write marked rows and remove them. Each knows its own rows; what one counts, no other moves then."""

    def probe(
        check_id: str,
        title: str,
        proves: str,
        run: Callable[[CheckContext], Finding],
        phases: tuple[str, ...],
        cost: Cost,
        *,
        purpose: Purpose = "probe",
        seconds: float = 15,
        needs: tuple[str, ...] = ("app_url",),
        touches: tuple[str, ...] = ROWS,
        blocking: bool = True,
        expires_s: int = 900,
        moves: tuple[str, ...] = (ENTRIES,),
        counts: tuple[str, ...] = (),
        trend: tuple[str, ...] = (),
        without_writing: Callable[[CheckContext], Finding] | None = None,
    ) -> CheckSpec:
        return CheckSpec(
            check_id,
            title,
            proves,
            run,
            phases,
            touches,
            needs,
            Level.PROBE,
            mutates=True,
            purpose=purpose,
            without_writing=without_writing,
            moves=moves,
            counts=counts,
            blocking=blocking,
            cost=cost,
            deadline_s=seconds,
            expires_s=expires_s,
            trend=trend,
        )

    # Four entries and answers at most: two pulses, and two analyses where those are canned; and what finds out who
    # serves. Shared by four checks.
    asked = Cost(calls=10, tokens=1600, cents=0.1)
    return [
        probe(
            "journal-roundtrip",
            "A journal entry is stored and read back",
            "Written through the API, found in the database, read back the same and found in the list, removed.",
            journal_roundtrip,
            ("before", "after"),
            Cost(8),
            without_writing=journal_as_it_stands,
            counts=(CROWD,),
        ),
        probe(
            "ai-answers",
            "The companion answers",
            "Two entries get an answer in time.",
            ai_answers,
            ("after", "hour"),
            asked,
            purpose="ai",
            seconds=27,
            moves=(ENTRIES, LOG),
        ),
        probe(
            "ai-quality",
            "The answers are not canned",
            "Two entries with different levels and words get different answers.",
            ai_quality,
            ("after", "hour", "week"),
            asked,
            purpose="ai",
            seconds=27,
            moves=(ENTRIES, LOG),
        ),
        probe(
            "ai-app-key",
            "The app's own AI key works",
            "Real answers through the app's key; where they are canned: why, and whose key it is about.",
            ai_app_key,
            ("before", "after", "hour"),
            Cost(calls=20, tokens=1620, cents=0.11),
            purpose="ai",
            seconds=30,
            moves=(ENTRIES, LOG),
        ),
        probe(
            "response-quality",
            "Answers are good enough",
            "Ten synthetic entries with stated expectations, their answers graded by rule.",
            response_quality,
            ("hour", "week"),
            Cost(calls=36, tokens=8000, cents=0.5),
            purpose="ai",
            seconds=40,
            expires_s=DAY_S,
            moves=(ENTRIES, LOG),
            trend=("share", "confidence_self_reported"),
        ),
        probe(
            "analytics-arrive",
            "AI calls arrive in the analytics",
            "Each AI call leaves a row in the usage log.",
            analytics_arrive,
            ("hour", "day"),
            asked,
            purpose="ai",
            seconds=27,
            moves=(ENTRIES, LOG),
        ),
        probe(
            "cost-matches-log",
            "Logged costs equal tokens at list price",
            "The cost of each logged call, recomputed from its tokens.",
            cost_matches_log,
            ("day",),
            asked,
            purpose="ai",
            seconds=27,
            needs=NEEDS_ROWS,
            moves=(ENTRIES, LOG),
        ),
        probe(
            "feedback-stored",
            "Feedback is stored",
            "Feedback answered with 200 stands in the database.",
            feedback_stored,
            ("after", "hour"),
            Cost(18),
            purpose="feedback",
        ),
        probe(
            "admin-numbers",
            "Admin numbers are right",
            "Every admin number equals our own count, with marked calls of ours among them.",
            admin_numbers,
            ("after", "day"),
            Cost(13),
            purpose="admin",
            needs=NEEDS_ROWS,
            without_writing=admin_numbers_as_they_stand,
            moves=(LOG,),
            counts=(LOG,),
        ),
        probe(
            "admin-role",
            "Nobody makes himself an admin",
            "A test account that wrote the role into its own metadata is refused the admin numbers.",
            admin_role,
            ("after", "day"),
            Cost(7),
            purpose="admin",
            needs=("app_url", "supabase_url", "supabase_anon_key"),
            touches=("app", "Supabase"),
            blocking=False,
            expires_s=DAY_S,
            moves=("auth.users",),
        ),
        probe(
            "rate-limit",
            "The daily limit holds",
            "A test account uses up its calls of the day; the next one is refused, and the quota row agrees.",
            rate_limit,
            ("hour",),
            Cost(calls=2 * (MOST_CALLS + 1) + 3, tokens=200 * MOST_CALLS, cents=1.0),
            purpose="rate-limit",
            seconds=45,
            expires_s=DAY_S,
            moves=(ENTRIES, LOG, CROWD),
        ),
    ]

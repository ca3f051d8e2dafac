"""What PulseCheck's own checks prove, need, touch and cost: those of its address, its journal, its AI, its numbers."""

from __future__ import annotations

from apps.pulsecheck.checks.ai import ai_answers, ai_quality, analytics_arrive, cost_matches_log
from apps.pulsecheck.checks.analytics import admin_numbers
from apps.pulsecheck.checks.api import admin_public, api_answers, docs_served, route_inventory
from apps.pulsecheck.checks.journal import feedback_stored, journal_roundtrip, rate_limit, stats_answer
from services.checks.registry import DAY_S, CheckSpec, Cost
from services.settings import Level

API = ("app",)
ROWS_LANE = "rows"
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
            lane=ROWS_LANE,
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
    """Checks that write marked rows and remove them; the runner never runs two of them at once."""

    def probe(
        check_id: str, title: str, proves: str, run: object, phases: tuple[str, ...], cost: Cost, seconds: float = 12
    ) -> CheckSpec:
        assert callable(run)
        return CheckSpec(
            check_id,
            title,
            proves,
            run,
            phases,
            ROWS,
            NEEDS_ROWS,
            Level.PROBE,
            mutates=True,
            lane=ROWS_LANE,
            cost=cost,
            deadline_s=seconds,
        )

    asked = Cost(calls=4, tokens=400, cents=0.1)
    return [
        probe(
            "journal-roundtrip",
            "A journal entry is stored and read back",
            "Written through the API, found in the database with the same levels, read back, removed.",
            journal_roundtrip,
            ("before", "after"),
            Cost(3),
        ),
        probe(
            "ai-answers",
            "The companion answers",
            "Two entries get an answer in time.",
            ai_answers,
            ("after", "hour"),
            asked,
            25,
        ),
        probe(
            "ai-quality",
            "The answers are not canned",
            "Two entries with different levels and words get different answers.",
            ai_quality,
            ("after", "hour", "week"),
            asked,
            25,
        ),
        probe(
            "analytics-arrive",
            "AI calls arrive in the analytics",
            "Each AI call leaves a row in the usage log.",
            analytics_arrive,
            ("hour", "day"),
            asked,
            25,
        ),
        probe(
            "cost-matches-log",
            "Logged costs equal tokens at list price",
            "The cost of each logged call, recomputed from its tokens.",
            cost_matches_log,
            ("day",),
            asked,
            25,
        ),
        probe(
            "feedback-stored",
            "Feedback is stored",
            "Feedback answered with 200 stands in the database.",
            feedback_stored,
            ("after", "hour"),
            Cost(2),
        ),
        probe(
            "admin-numbers",
            "Admin numbers are right",
            "The day's numbers equal our own count, with marked calls of ours among them.",
            admin_numbers,
            ("after", "day"),
            Cost(8),
        ),
        probe(
            "rate-limit",
            "The daily limit holds",
            "With the allowance used up in the log, the next AI call is refused.",
            rate_limit,
            ("hour",),
            Cost(2),
        ),
    ]

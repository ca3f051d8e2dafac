"""What the checks of PulseCheck's database, platform and AI service prove, need, touch and cost."""

from __future__ import annotations

from apps.pulsecheck.checks.ai import openai_key, openai_model
from apps.pulsecheck.checks.analytics import quota_matches_log, tiers_match_rule
from apps.pulsecheck.checks.database import (
    anon_reads_journal,
    anon_reads_nothing,
    backup_fresh,
    database_direct,
    database_rest,
    rehearsal_fresh,
    release_receipt,
    release_schema,
    schema_compatible,
    supabase_project,
    verification_clean,
)
from apps.pulsecheck.checks.platform import dependency_pins, deployment_state, env_names, platform_errors, startup_logs
from services.checks.registry import DAY_S, CheckSpec, Cost

ROWS_LANE = "rows"
DB = ("database",)
RAILWAY = ("Railway",)
SUPABASE = ("Supabase",)
OPENAI = ("OpenAI",)
NEEDS_RAILWAY = ("railway_url", "railway_token")
NEEDS_MANAGEMENT = ("supabase_access_token", "supabase_project_ref")


def specs() -> list[CheckSpec]:
    """The checks that look behind the app, in the order in which they are shown."""
    return [*_database(), *_platform(), *_openai()]


def _database() -> list[CheckSpec]:
    def reads(
        check_id: str,
        title: str,
        proves: str,
        run: object,
        phases: tuple[str, ...],
        needs: tuple[str, ...] = ("database_url",),
        touches: tuple[str, ...] = DB,
        expires_s: int = 900,
        lane: str | None = None,
    ) -> CheckSpec:
        assert callable(run)
        return CheckSpec(check_id, title, proves, run, phases, touches, needs, lane=lane, expires_s=expires_s)

    rest = ("database_url", "supabase_url", "supabase_anon_key")
    return [
        reads(
            "database-direct",
            "The database answers",
            "A statement runs on the database itself.",
            database_direct,
            ("before", "after"),
        ),
        reads(
            "database-rest",
            "Supabase REST shows every row",
            "REST shows as many entries as the database holds.",
            database_rest,
            ("before", "after"),
            ("database_url", "supabase_url"),
            ("database", "Supabase"),
            lane=ROWS_LANE,
        ),
        reads(
            "schema-compatible",
            "Tables fit the serving build",
            "Every table, column and type that the serving build reads is there.",
            schema_compatible,
            ("before", "after"),
            ("database_url", "app_url"),
        ),
        reads(
            "release-schema",
            "Tables fit the release's build",
            "Every table, column and type that the release's build reads is there, before it is started.",
            release_schema,
            ("during",),
            ("database_url",),
        ),
        reads(
            "release-receipt",
            "The deploy left its receipt",
            "The row written in the deploy's own transaction is there and of this content.",
            release_receipt,
            ("during", "after"),
        ),
        reads(
            "rehearsal-fresh",
            "The release was rehearsed",
            "This very content ran twice on a copy of this target.",
            rehearsal_fresh,
            ("before", "during"),
            (),
        ),
        reads(
            "verification-clean",
            "Verification finds nothing wrong",
            "Every verification query of the release returns no row.",
            verification_clean,
            ("during", "after"),
        ),
        reads(
            "anon-reads-nothing",
            "Strangers read nothing of the release",
            "Really read with the public key: no row of the release's tables and views.",
            anon_reads_nothing,
            ("during", "after"),
            rest,
            ("database", "Supabase"),
        ),
        CheckSpec(
            "anon-reads-journal",
            "Strangers read no journal entry",
            "Really read with the public key: no journal entry is shown.",
            anon_reads_journal,
            ("before", "day"),
            SUPABASE,
            ("supabase_url", "supabase_anon_key"),
            blocking=False,
            expires_s=DAY_S,
        ),
        reads(
            "quota-matches-log",
            "Quotas equal the usage log",
            "Per user and day, the quota row holds the sums of the log.",
            quota_matches_log,
            ("day",),
        ),
        reads(
            "tiers-match-rule",
            "Every user has the right tier",
            "The tier function, called for every user, says what the rule says.",
            tiers_match_rule,
            ("during", "day"),
        ),
        reads(
            "supabase-project",
            "The Supabase project is awake",
            "Project and services are healthy in the Management API.",
            supabase_project,
            ("before", "week"),
            NEEDS_MANAGEMENT,
            SUPABASE,
        ),
        reads(
            "backup-fresh",
            "A fresh backup is there",
            "A completed backup is younger than the limit.",
            backup_fresh,
            ("before",),
            NEEDS_MANAGEMENT,
            SUPABASE,
            3600,
        ),
    ]


def _platform() -> list[CheckSpec]:
    def railway(check_id: str, title: str, proves: str, run: object, phases: tuple[str, ...]) -> CheckSpec:
        assert callable(run)
        return CheckSpec(check_id, title, proves, run, phases, RAILWAY, NEEDS_RAILWAY, cost=Cost(3), expires_s=600)

    return [
        railway(
            "deployment-state",
            "The newest deployment serves",
            "Which deployment runs, and whether a newer one failed.",
            deployment_state,
            ("before", "after", "hour"),
        ),
        railway(
            "startup-logs",
            "The start-up log is clean",
            "The newest deployment's log holds no error; one that is there is quoted.",
            startup_logs,
            ("before", "after", "hour"),
        ),
        railway(
            "env-names",
            "Environment variables are set",
            "Every variable that the release's build reads is set, by name.",
            env_names,
            ("before",),
        ),
        railway(
            "dependency-pins",
            "Pinned packages are installed",
            "The build log shows each pinned package in its version.",
            dependency_pins,
            ("before",),
        ),
        railway(
            "platform-errors",
            "Few answers are errors",
            "The share of 5xx among the answers of the last hour.",
            platform_errors,
            ("hour", "day", "week"),
        ),
    ]


def _openai() -> list[CheckSpec]:
    return [
        CheckSpec(
            "openai-key",
            "Our OpenAI key works",
            "Our own key completes a few tokens; it explains, and proves nothing about the app's key.",
            openai_key,
            ("before",),
            OPENAI,
            ("openai_key",),
            cost=Cost(1, tokens=20, cents=0.01),
            deadline_s=12,
        ),
        CheckSpec(
            "openai-model",
            "The model is on offer",
            "The model that the app asks for exists and has no near end.",
            openai_model,
            ("before", "week"),
            OPENAI,
            ("openai_key",),
            expires_s=DAY_S,
        ),
    ]

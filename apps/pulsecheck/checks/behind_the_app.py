"""What PulseCheck's own checks of its database prove, need, touch and cost."""

from __future__ import annotations

from apps.pulsecheck.checks.analytics import quota_matches_log, tiers_match_rule
from apps.pulsecheck.checks.database import (
    anon_reads_journal,
    anon_reads_nothing,
    authenticated_reads_own,
    release_schema,
    schema_compatible,
)
from apps.pulsecheck.checks.usage import usage_recent
from services.checks.registry import DAY_S, CheckSpec

DB = ("database",)
SUPABASE = ("Supabase",)


def specs() -> list[CheckSpec]:
    """The checks that look behind the app, in the order in which they are shown."""

    def reads(
        check_id: str,
        title: str,
        proves: str,
        run: object,
        phases: tuple[str, ...],
        needs: tuple[str, ...] = ("database_url",),
        touches: tuple[str, ...] = DB,
    ) -> CheckSpec:
        assert callable(run)
        return CheckSpec(check_id, title, proves, run, phases, touches, needs)

    return [
        reads(
            "schema-compatible",
            "Tables fit the serving build",
            "Every table, column and type that the serving build reads is there.",
            schema_compatible,
            ("before", "after"),
            ("database_url", "app_url"),
            ("database", "app"),
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
            "anon-reads-nothing",
            "Strangers read nothing of the release",
            "Really read with the public key: no row of the release's tables and views.",
            anon_reads_nothing,
            ("during", "after"),
            ("database_url", "supabase_url", "supabase_anon_key"),
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
            "authenticated-reads-own",
            "Signed-in people read only their own rows",
            "Really read as a signed-in test account: nobody else's row of the release's tables.",
            authenticated_reads_own,
            ("during", "after"),
            ("database_url", "supabase_url", "supabase_anon_key"),
            ("database", "Supabase"),
        ),
        reads(
            "usage-recent",
            "Usage is still being written",
            "Where people write entries, the newest logged AI call is younger than the team's limit.",
            usage_recent,
            ("day", "week"),
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
    ]

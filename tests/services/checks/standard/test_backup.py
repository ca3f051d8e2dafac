"""The check of our own backups passes on one that was restored, is young enough and still in place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.checks.standard.backup import proved
from services.checks.standard.supabase import backup
from services.clients.supabase import Backups
from services.verdict import Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fact(**unlike: Any) -> dict[str, Any]:
    return {
        "at": (NOW - timedelta(hours=3)).isoformat(),
        "rows": 4143,
        "bytes": 254977,
        "file": "/backups/staging.dump.age",
        "host": "keeper",
        "there": True,
        "keep_until": (NOW + timedelta(days=30)).isoformat(),
        "proof": "Restored.",
        **unlike,
    }


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        (
            fact(),
            Verdict.PASS,
            "3 hours ago was restored with all its 4,143 rows; it is /backups/staging.dump.age on keeper.",
        ),
        (fact(there=None), Verdict.PASS, "on keeper, which was not looked at from here."),
        (fact(there=False), Verdict.FAIL, "no longer where it was written"),
        (fact(at=(NOW - timedelta(hours=25)).isoformat()), Verdict.FAIL, "25 hours old; the limit is 24"),
        (fact(at=(NOW - timedelta(hours=24)).isoformat()), Verdict.PASS, "24 hours ago"),
        (None, Verdict.UNKNOWN, "No backup of ours has been restored and compared yet. Take one"),
    ],
)
def test_the_newest_proved_backup_decides(found: dict[str, Any] | None, verdict: Verdict, said: str) -> None:
    finding = proved(found, NOW, 24, "age1x")
    assert (finding.verdict, said in finding.summary) == (verdict, True), finding.summary


def test_without_a_recipient_the_way_to_one_comes_first() -> None:
    finding = proved(None, NOW, 24, None)
    assert (finding.verdict, finding.facts["recipient_set"]) == (Verdict.UNKNOWN, False)
    assert "Set backup_recipient first (`backup --new-key`)" in finding.summary


def platform(**unlike: Any) -> Backups:
    values: dict[str, Any] = {"newest": None, "count": 0, "failed": 0, "pitr": False, "kind": "physical"}
    return Backups(**(values | unlike))


@pytest.mark.parametrize(
    ("found", "own", "verdict", "said"),
    [
        (
            platform(),
            fact(),
            Verdict.PASS,
            "on the free plan there is none. A proved one of ours stands in, of 3 hours ago.",
        ),
        (platform(), fact(there=False), Verdict.FAIL, "on the free plan there is none. Take one with `backup`"),
        (platform(), None, Verdict.FAIL, "on the free plan there is none. Take one with `backup`"),
        (platform(failed=7), fact(), Verdict.FAIL, "all 7 of them failed"),
    ],
)
def test_where_the_platform_makes_none_a_proved_one_of_ours_stands_in(
    found: Backups, own: dict[str, Any] | None, verdict: Verdict, said: str
) -> None:
    finding = backup(found, NOW, 24, proved(own, NOW, 24, None))
    assert (finding.verdict, said in finding.summary) == (verdict, True), finding.summary

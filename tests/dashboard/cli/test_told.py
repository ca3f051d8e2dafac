"""A rollback and a restore end with their verdict and, in the same sentence, why."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.cli.told import restored, rolled_back

BACK: dict[str, Any] = {
    "verdict": "pass", "blast_radius": [], "snapshot_id": "s1", "fingerprint_restored": True, "rows_lost": 0,
    "merged": 1, "conflicts": [], "proved": True, "proof": "", "not_restored": "",
}  # fmt: skip
CONFLICT = {"table": "public.users", "why": "both altered it", "rows": 3, "keys": ["7", "12"]}
RESTORED: dict[str, Any] = {
    "verdict": "pass", "rows_restored": 2, "rows_taken_out": 1, "rows_kept": 0, "not_restored": [], "conflicts": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "last"),
    [
        (
            {},
            "pass: the catalog is as before the deploy, 0 rows lost, 1 row that the deploy had taken brought back.",
        ),
        (
            {"verdict": "fail", "fingerprint_restored": False, "not_restored": "1 added: table t", "rows_lost": 2},
            "fail: because the catalog is not as before the deploy (1 added: table t); 2 rows lost.",
        ),
        (
            {"verdict": "fail", "conflicts": [CONFLICT]},
            "fail: because 1 conflict left as now, for a person to decide.",
        ),
        (
            {"verdict": "unknown", "fingerprint_restored": None},
            "unknown: because without a deploy receipt it cannot be told whether the catalog is as before the deploy.",
        ),
        ({"verdict": "fail", "proved": False}, "fail: because what was kept did not come back on a copy."),
    ],
)
def test_a_rollback_says_last_what_it_came_to(more: dict[str, Any], last: str) -> None:
    assert rolled_back({**BACK, **more}).lines[-1] == last


def test_a_restore_says_what_came_back_and_what_is_left_to_decide() -> None:
    said = restored(RESTORED).lines
    assert said == ("pass: 2 rows brought back, 1 row that the change had added gone again.",)
    left = restored({**RESTORED, "verdict": "fail", "conflicts": [CONFLICT]})
    assert left.lines == (
        "conflict: public.users: both altered it (3 rows, such as 7, 12)",
        "fail: because 1 conflict left as now, for a person to decide.",
    )
    assert left.exit_code == 1

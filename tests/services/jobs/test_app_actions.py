"""Which deployment a redeploy starts: always the code that was pushed last, never what only happens to be newest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.clients.railway import Deployment
from services.errors import Refused, Unavailable
from services.jobs.app_actions import redeploy_sentence, to_redeploy
from tests.services.conftest import NOON


def one(number: int, commit: str | None, status: str, reason: str | None = "deploy") -> Deployment:
    return Deployment(
        id=f"d{number}",
        status=status,
        created_at=NOON + timedelta(minutes=number),
        service_id="s",
        commit=commit,
        message=None,
        reason=reason,
        can_redeploy=True,
        can_rollback=True,
        stopped=False,
        running=status == "SUCCESS",
        url=None,
    )


def test_the_failed_push_is_started_and_not_what_serves() -> None:
    assert to_redeploy([one(2, "new", "FAILED"), one(1, "old", "SUCCESS")]).id == "d2"


def test_after_a_back_out_it_is_still_the_new_code() -> None:
    after_back_out = [
        one(4, "old", "SUCCESS", "rollback"),
        one(3, "new", "REMOVED", "redeploy"),
        one(2, "new", "FAILED"),
        one(1, "old", "REMOVED"),
    ]
    assert to_redeploy(after_back_out).id == "d3"


def test_where_the_platform_tells_no_reason_the_newest_counts_as_the_push() -> None:
    assert to_redeploy([one(2, None, "FAILED", None), one(1, "old", "SUCCESS", None)]).id == "d2"


def test_a_deployment_under_way_is_waited_for() -> None:
    with pytest.raises(Refused, match="d3 is BUILDING"):
        to_redeploy([one(3, "new", "BUILDING"), one(1, "old", "SUCCESS")])


def test_nothing_pushed_is_a_sentence() -> None:
    with pytest.raises(Unavailable, match="no push"):
        to_redeploy([])


def test_the_sentence_says_what_starts_and_why_a_restart_would_not_do() -> None:
    new = {"id": "d2", "commit": "b" * 40, "status": "FAILED"}
    told = redeploy_sentence(new, {"commit": "a" * 40})
    assert "deployment d2 (commit bbbbbbbbbb, FAILED)" in told
    assert "A restart would only start commit aaaaaaaaaa again" in told
    assert "serves already" in redeploy_sentence(new, {"commit": "b" * 40})
    assert "nothing serves" in redeploy_sentence(new, None)

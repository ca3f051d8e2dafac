"""The platform's settings, times and allowance, judged from what it told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.checks.standard.platform_use import Start, calls_left, durations, health_settings, last_start
from services.clients.budget import Budget
from services.clients.railway import DeploymentEvent, Durations, Service
from services.verdict import Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def service(**changes: Any) -> Service:
    plain: dict[str, Any] = {
        "id": "s",
        "name": "app",
        "start_command": None,
        "healthcheck_path": "/health",
        "healthcheck_timeout_s": 300,
        "restart_policy": "ON_FAILURE",
    }
    return Service(**{**plain, **changes})


@pytest.mark.parametrize(
    ("changes", "start", "verdict"),
    [
        ({}, Start(20.0, True), Verdict.PASS),
        ({}, None, Verdict.PASS),
        ({"healthcheck_path": None}, Start(20.0, True), Verdict.FAIL),
        ({}, Start(20.0, False), Verdict.FAIL),
        ({"healthcheck_timeout_s": 10}, Start(20.0, True), Verdict.FAIL),
        ({"healthcheck_timeout_s": None}, Start(299.0, True), Verdict.PASS),
        ({"healthcheck_timeout_s": None}, Start(301.0, True), Verdict.FAIL),
        ({"restart_policy": "NEVER"}, Start(20.0, True), Verdict.FAIL),
    ],
)
def test_the_health_check_must_be_set_and_have_held(
    changes: dict[str, Any], start: Start | None, verdict: Verdict
) -> None:
    assert health_settings(service(**changes), start).verdict is verdict


def event(step: str, begun: int, ended: int | None, error: str | None = None) -> DeploymentEvent:
    def at(second: int) -> str:
        return f"2026-03-01T12:00:{second:02}+00:00"

    return DeploymentEvent(step, at(begun), None if ended is None else at(ended), error, None)


def test_a_start_is_measured_from_its_container_to_its_health() -> None:
    found = last_start([event("BUILD_IMAGE", 0, 9), event("CREATE_CONTAINER", 10, 11), event("HEALTHCHECK", 11, 30)])
    assert found == Start(20.0, True)


def test_of_several_starts_the_last_one_counts() -> None:
    starts = [event("CREATE_CONTAINER", 0, 1), event("HEALTHCHECK", 1, 2)]
    again = [event("CREATE_CONTAINER", 10, 11), event("HEALTHCHECK", 11, 15, "no answer of 200")]
    assert last_start([*starts, *again]) == Start(5.0, False)


def test_a_start_without_a_health_check_is_not_remembered() -> None:
    assert last_start([event("CREATE_CONTAINER", 0, 1), event("HEALTHCHECK", 1, None)]) is None
    assert last_start([]) is None


def step(p50: float, p95: float) -> Durations:
    return Durations(NOW, p50, p50, p95, p95)


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ([step(300, 900)], Verdict.PASS),
        ([step(2001, 2500)], Verdict.FAIL),
        ([step(300, 5001)], Verdict.FAIL),
        ([step(300, 900), step(300, 900), step(9000, 9000)], Verdict.PASS),
        ([], Verdict.UNKNOWN),
    ],
)
def test_response_times_of_the_typical_step(steps: list[Durations], verdict: Verdict) -> None:
    found = durations(steps, 2.0, 5.0)
    assert (found.verdict, found.facts["steps"]) == (verdict, len(steps))


def test_the_worst_step_is_told_too() -> None:
    assert durations([step(300, 900), step(300, 7000), step(300, 900)], 2.0, 5.0).facts["worst_p95_ms"] == 7000


@pytest.mark.parametrize(
    ("budget", "verdict"),
    [
        (Budget(1000, 500, None), Verdict.PASS),
        (Budget(1000, 99, None), Verdict.FAIL),
        (Budget(None, 0, None), Verdict.FAIL),
        (Budget(1000, None, None), Verdict.UNKNOWN),
        (None, Verdict.UNKNOWN),
    ],
)
def test_calls_that_are_left(budget: Budget | None, verdict: Verdict) -> None:
    found = calls_left(budget)
    assert (found.verdict, set(found.facts)) == (verdict, {"limit", "remaining", "reset"})

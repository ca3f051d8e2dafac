"""Standard checks of how the platform is set up and used: health check, response times, our own calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec, Cost
from services.checks.standard.railway import FAILED, NEEDS_RAILWAY, RAILWAY, UNDER_WAY, deployments, serving
from services.clients.http import Kind, UpstreamError
from services.verdict import Finding, Verdict

if TYPE_CHECKING:
    from services.clients.railway import Budget, DeploymentEvent, Durations, Service

DEFAULT_TIMEOUT_S = 300
SPAN = timedelta(hours=1)


def healthcheck_settings(context: CheckContext) -> Finding:
    """A path is set and answered 200 when the build started, within the time allowed, and a crash is restarted."""
    wanted = context.railway.service_id()
    service = next((one for one in context.railway.services() if one.id == wanted), None)
    if service is None:
        return Finding(Verdict.UNKNOWN, "Railway lists no such service in this environment.", {})
    found = deployments(context)
    started = serving(found) or next((one for one in found if one.status not in UNDER_WAY | FAILED), None)
    return health_settings(service, last_start(context.railway.events(started.id) if started else ()))


@dataclass(frozen=True, slots=True)
class Start:
    """How a deployment started. took_s: until its health check held; held: it did, with an answer of 200."""

    took_s: float
    held: bool


def last_start(events: Sequence[DeploymentEvent]) -> Start | None:
    """The start that Railway's events tell of, from the container's creation; None where they tell of none."""
    check = next((one for one in reversed(events) if one.step == "HEALTHCHECK" and one.completed_at), None)
    if check is None or check.completed_at is None:
        return None
    ended = datetime.fromisoformat(check.completed_at)
    begun = [
        at
        for one in events
        if one.step in ("CREATE_CONTAINER", "HEALTHCHECK") and (at := datetime.fromisoformat(one.created_at)) <= ended
    ]
    containers = [datetime.fromisoformat(one.created_at) for one in events if one.step == "CREATE_CONTAINER"]
    first = max((at for at in containers if at <= ended), default=max(begun))
    return Start(round((ended - first).total_seconds(), 1), check.error is None)


def health_settings(service: Service, start: Start | None) -> Finding:
    """Judge the settings by how the last start went; None: Railway does not tell any more."""
    timeout = service.healthcheck_timeout_s or DEFAULT_TIMEOUT_S
    facts: dict[str, Any] = {
        "path": service.healthcheck_path,
        "held": start.held if start else None,
        "timeout_s": timeout,
        "start_took_s": start.took_s if start else None,
        "policy": service.restart_policy,
    }
    problems = []
    if not service.healthcheck_path:
        problems.append("no health-check path is set, so a build takes over before it answers")
    elif start is not None and not start.held:
        problems.append(f"{service.healthcheck_path} did not answer 200 when the build started")
    if start is not None and timeout < start.took_s:
        problems.append(f"the health check waits {timeout} s, and the last start took {start.took_s:g} s")
    if service.restart_policy == "NEVER":
        problems.append("a process that crashes is not started again")
    if problems:
        said = "; ".join(problems)
        return Finding(Verdict.FAIL, f"{said[0].upper()}{said[1:]}.", facts, link="railway_service")
    took = f"answered 200 after {start.took_s:g} s" if start else "is set; no start is remembered"
    return Finding(Verdict.PASS, f"{service.healthcheck_path} {took}; it has {timeout} s.", facts)


def response_times(context: CheckContext) -> Finding:
    """How long the answers of the last hour took, as the platform's edge measured."""
    limits = context.app.thresholds
    seen = context.railway.durations(context.now - SPAN, context.now)
    return durations(seen, limits.response_warn_s, limits.response_alert_s)


def durations(steps: Sequence[Durations], warn_s: float, alert_s: float) -> Finding:
    """Judge the typical step of the hour: half of its answers below `warn_s`, nineteen of twenty below `alert_s`.

    Percentiles of steps cannot be added up, so that the median of each over the steps stands for the hour.
    """

    def typical(read: Callable[[Durations], float]) -> float | None:
        return round(median(read(one) for one in steps), 1) if steps else None

    p50, p95 = typical(lambda one: one.p50_ms), typical(lambda one: one.p95_ms)
    facts: dict[str, Any] = {
        "p50_ms": p50,
        "p90_ms": typical(lambda one: one.p90_ms),
        "p95_ms": p95,
        "p99_ms": typical(lambda one: one.p99_ms),
        "worst_p95_ms": max((one.p95_ms for one in steps), default=None),
        "steps": len(steps),
        "limit_ms": round(alert_s * 1000),
    }
    if p50 is None or p95 is None:
        return Finding(Verdict.UNKNOWN, "The platform measured no answer in the last hour.", facts)
    said = f"Half of the answers took {p50:.0f} ms at most, nineteen of twenty {p95:.0f} ms"
    if p95 > alert_s * 1000:
        return Finding(Verdict.FAIL, f"{said}; the limit is {alert_s:g} s.", facts, link="railway_logs")
    if p50 > warn_s * 1000:
        return Finding(Verdict.FAIL, f"{said}; half should take {warn_s:g} s at most.", facts, link="railway_logs")
    return Finding(Verdict.PASS, f"{said}.", facts)


def railway_calls_left(context: CheckContext) -> Finding:
    """How many calls Railway still allows this hour; where they are used up, we block ourselves."""
    client = context.railway
    try:
        deployments(context)
    except UpstreamError as error:
        used_up = client.budget is not None and client.budget.remaining == 0
        if error.kind is not Kind.RATE_LIMITED or not used_up:
            raise
    return calls_left(client.budget)


def calls_left(budget: Budget | None) -> Finding:
    """Judge the allowance; less than a tenth of it is too little for a release."""
    facts: dict[str, Any] = {
        "limit": budget.limit if budget else None,
        "remaining": budget.remaining if budget else None,
        "reset": budget.reset if budget else None,
    }
    if budget is None or budget.remaining is None:
        return Finding(Verdict.UNKNOWN, "Railway did not say how many calls are left.", facts)
    of = f" of {budget.limit}" if budget.limit else ""
    said = f"{budget.remaining}{of} calls are left this hour"
    if budget.remaining == 0 or budget.low:
        return Finding(Verdict.FAIL, f"{said}: too few for a release.", facts)
    return Finding(Verdict.PASS, f"{said}.", facts)


SPECS = (
    CheckSpec(
        "healthcheck-settings",
        "The health check is set",
        "Its path is set, answered 200 at the last start, and it waits longer than a start takes.",
        healthcheck_settings,
        ("before", "week"),
        RAILWAY,
        NEEDS_RAILWAY,
        blocking=False,
        cost=Cost(4),
        expires_s=3600,
    ),
    CheckSpec(
        "response-times",
        "Answers come in time",
        "Percentiles of the last hour, as the platform's edge measured them.",
        response_times,
        ("before", "after", "hour", "week"),
        RAILWAY,
        NEEDS_RAILWAY,
        blocking=False,
        cost=Cost(3),
        trend=("p50_ms", "p95_ms"),
    ),
    CheckSpec(
        "railway-calls-left",
        "Railway calls are left",
        "How many of the hour's calls Railway still allows us.",
        railway_calls_left,
        ("before", "during"),
        RAILWAY,
        NEEDS_RAILWAY,
        blocking=False,
        cost=Cost(2),
        expires_s=300,
        trend=("remaining",),
    ),
)

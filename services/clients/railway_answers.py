"""What Railway's answers hold, as types; another shape makes each reader raise an ordinary error of types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.clients.redaction import redact, redact_data


@dataclass(frozen=True, slots=True)
class Scope:
    """What a project token reaches: one environment of one project."""

    project_id: str
    environment_id: str
    project: str
    environment: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service in the environment with its start, health-check and restart settings (timeout in seconds).

    Railway asks the health-check path only while it deploys, and wants the answer 200; afterwards it never looks.
    """

    id: str
    name: str
    start_command: str | None
    healthcheck_path: str | None
    healthcheck_timeout_s: int | None
    restart_policy: str | None
    restart_retries: int | None = None
    replicas: int | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. status is Railway's word; running: an instance of it runs now.

    instances: the status of each instance (RUNNING, CRASHED, EXITED ...)
    diagnosis: Railway's own words for why it failed, redacted; asked for by `deployment(id)` only
    """

    id: str
    status: str
    created_at: datetime
    service_id: str | None
    commit: str | None
    message: str | None
    reason: str | None
    can_redeploy: bool
    can_rollback: bool
    stopped: bool
    running: bool
    url: str | None
    instances: tuple[str, ...] = ()
    diagnosis: str | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    at: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class HttpLogLine:
    """A request at Railway's edge. upstream_ms: what the service itself took; details: what went wrong on the way."""

    at: str
    method: str
    path: str
    status: int
    duration_ms: int
    upstream_ms: int | None
    details: str


@dataclass(frozen=True, slots=True)
class DeploymentEvent:
    """A step of a deployment and why it failed, where it did; attempt of max_attempts for steps that are repeated."""

    step: str
    created_at: str
    completed_at: str | None
    error: str | None
    reason: str | None
    detail: str | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    duration_ms: int | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable by name; its value is never kept."""

    name: str
    service_id: str | None
    sealed: bool


@dataclass(frozen=True, slots=True)
class Requests:
    """HTTP answers in a time span. errors: 5xx. Source: the sums of httpMetricsGroupedByStatus."""

    total: int
    errors: int

    @property
    def error_share(self) -> float | None:
        return self.errors / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Durations:
    """Percentiles of the answers' durations in one step of time, in milliseconds."""

    at: datetime
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float


def pushed_last(deployments: Sequence[Deployment]) -> Deployment | None:
    """The newest deployment of the commit that was pushed last; None where nothing was ever pushed.

    deployments: newest first. A redeploy or a rollback is no push, so that after a back-out this is still the new code.
    """
    pushes = [one for one in deployments if one.reason in (None, "deploy")]
    if not pushes:
        return None
    commit = pushes[0].commit
    return next((one for one in deployments if commit is not None and one.commit == commit), pushes[0])


def read_scope(token: Any) -> Scope:
    return Scope(
        _text(token["projectId"]),
        _text(token["environmentId"]),
        _text(token["project"]["name"]),
        _text(token["environment"]["name"]),
    )


def read_service(node: Any) -> Service:
    return Service(
        _text(node["serviceId"]),
        _text(node["serviceName"]),
        _optional_text(node["startCommand"]),
        _optional_text(node["healthcheckPath"]),
        _optional_number(node["healthcheckTimeout"]),
        _optional_text(node["restartPolicyType"]),
        _optional_number(node.get("restartPolicyMaxRetries")),
        _optional_number(node.get("numReplicas")),
        _optional_text(node.get("region")),
    )


def read_deployment(node: Any) -> Deployment:
    meta = node.get("meta") or {}
    instances = tuple(_text(instance["status"]) for instance in node.get("instances") or [])
    return Deployment(
        id=_text(node["id"]),
        status=_text(node["status"]),
        created_at=_moment(node["createdAt"]),
        service_id=_optional_text(node.get("serviceId")),
        commit=_optional_text(meta.get("commitHash")),
        message=_optional_text(meta.get("commitMessage")),
        reason=_optional_text(meta.get("reason")),
        can_redeploy=bool(node["canRedeploy"]),
        can_rollback=bool(node["canRollback"]),
        stopped=bool(node["deploymentStopped"]),
        running="RUNNING" in instances,
        url=_optional_text(node.get("staticUrl") or node.get("url")),
        instances=instances,
        diagnosis=_diagnosis(node.get("diagnosis")),
    )


def read_deployments(found: Any) -> list[Deployment]:
    """Newest first."""
    return sorted(
        (read_deployment(edge["node"]) for edge in found["edges"]), key=lambda one: one.created_at, reverse=True
    )


def read_event(edge: Any) -> DeploymentEvent:
    node = edge["node"]
    payload = node["payload"] or {}
    return DeploymentEvent(
        _text(node["step"]),
        _text(node["createdAt"]),
        _optional_text(node["completedAt"]),
        _said(payload.get("error")),
        _said(payload.get("reason")),
        _said(payload.get("detail")),
        _optional_number(payload.get("attempt")),
        _optional_number(payload.get("maxAttempts")),
        _optional_number(payload.get("durationMs")),
        bool(payload.get("skipped")),
    )


def read_log_line(line: Any) -> LogLine:
    return LogLine(_text(line["timestamp"]), _optional_text(line["severity"]) or "", redact(_text(line["message"])))


def read_http_log_line(line: Any) -> HttpLogLine:
    return HttpLogLine(
        _text(line["timestamp"]),
        _text(line["method"]),
        redact(_text(line["path"])),
        _number(line["httpStatus"]),
        _number(line["totalDuration"]),
        _optional_number(line.get("upstreamRqDuration")),
        redact(_optional_text(line.get("responseDetails")) or ""),
    )


def read_variable(node: Any) -> Variable:
    return Variable(_text(node["name"]), _optional_text(node["serviceId"]), bool(node["isSealed"]))


def read_requests(groups: Any) -> Requests:
    sums = {_number(group["statusCode"]): sum(float(one["value"]) for one in group["samples"]) for group in groups}
    return Requests(round(sum(sums.values())), round(sum(n for status, n in sums.items() if status >= 500)))


def read_durations(found: Any) -> list[Durations]:
    """Oldest first."""
    samples = [
        Durations(
            datetime.fromtimestamp(_number(one["ts"]), UTC),
            *(float(one[name]) for name in ("p50", "p90", "p95", "p99")),
        )
        for one in found["samples"]
    ]
    return sorted(samples, key=lambda one: one.at)


def read_platform_status(found: Any) -> Mapping[str, Any]:
    if not isinstance(found["isStable"], bool):
        raise TypeError
    told: dict[str, Any] = redact_data(found)
    return told


def read_id(found: Any) -> str:
    return _text(found["id"])


def _diagnosis(value: Any) -> str | None:
    """A scalar without a documented inside: its texts, one after the other."""
    found = " ".join(_texts(value))
    return redact(found)[:500] or None


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inside for text in _texts(one)]


def _said(value: Any) -> str | None:
    return redact(_text(value)) if value else None


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(_text(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return int(value)


def _optional_number(value: Any) -> int | None:
    return None if value is None else _number(value)

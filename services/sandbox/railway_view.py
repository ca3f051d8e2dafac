"""The hosting platform's state in the words of Railway's schema; pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

from services.sandbox.deployment import Deployment, LogLine, Status, Step
from services.sandbox.edge import LoggedRequest
from services.sandbox.hosting import Hosting
from services.sandbox.log_filter import log_filter

Answer = dict[str, Any]
T = TypeVar("T")


def _id(name: str, world: str = "sandbox") -> str:
    return str(uuid5(NAMESPACE_URL, f"{world}:{name}"))


@dataclass(frozen=True, slots=True)
class Ids:
    """Which project, environment and service the platform serves; there is one of each."""

    project: str = _id("project")
    environment: str = _id("environment")
    service: str = _id("service")
    workspace: str = _id("workspace")
    service_instance: str = _id("service-instance")
    token: str = _id("token")

    @classmethod
    def of(cls, world: str) -> Ids:
        """Those of a world of this name; two names have no id in common."""
        names = ("project", "environment", "service", "workspace", "service-instance", "token")
        return cls(*(_id(name, world) for name in names))


@dataclass(frozen=True, slots=True)
class Place:
    """Names and ids. domain: host and port of the public address; started: when the platform's project was made."""

    ids: Ids
    project: str
    service: str
    domain: str
    started: datetime
    environment: str = "production"


@dataclass(frozen=True, slots=True)
class PlatformIncident:
    """What the platform says it suffers from."""

    message: str
    began: datetime


def platform_status(incidents: Mapping[str, PlatformIncident]) -> Answer:
    """incidents: by an id; the first in their order is told."""
    first = next((one for _, one in sorted(incidents.items())), None)
    told = (
        None
        if first is None
        else {
            "id": _id(f"incident:{first.message}"),
            "message": first.message,
            "status": "INVESTIGATING",
            "url": "https://status.railway.example",
            "createdAt": first.began.isoformat(),
        }
    )
    return {"isStable": first is None, "incident": told, "maintenance": None}


def connection(nodes: Sequence[Answer], first: int | None = None, after: str | None = None, **_rest: Any) -> Answer:
    """A page of nodes. The cursor is the node's id; an unknown one starts from the beginning."""
    ids = [node["id"] for node in nodes]
    begin = ids.index(after) + 1 if after in ids else 0
    page = list(nodes[begin:] if first is None else nodes[begin : begin + first])
    return {
        "edges": [{"cursor": node["id"], "node": node} for node in page],
        "pageInfo": {
            "hasNextPage": begin + len(page) < len(nodes),
            "hasPreviousPage": begin > 0,
            "startCursor": page[0]["id"] if page else None,
            "endCursor": page[-1]["id"] if page else None,
        },
    }


def paged(nodes: Sequence[Answer]) -> Any:
    """A field that takes first and after."""
    return lambda _info, **arguments: connection(nodes, arguments.get("first"), arguments.get("after"))


def project(place: Place) -> Answer:
    ids = place.ids
    return {
        "id": ids.project,
        "name": place.project,
        "workspaceId": ids.workspace,
        "createdAt": place.started.isoformat(),
        "updatedAt": place.started.isoformat(),
        "deletedAt": None,
        "isPublic": False,
        "isTempProject": False,
        "prDeploys": False,
        "primaryEnvironmentId": ids.environment,
        "environments": paged([{"id": ids.environment, **_environment_facts(place)}]),
        "services": paged([service(place)]),
    }


def service(place: Place) -> Answer:
    moment = place.started.isoformat()
    return {
        "id": place.ids.service,
        "name": place.service,
        "projectId": place.ids.project,
        "project": lambda _info: project(place),
        "createdAt": moment,
        "updatedAt": moment,
        "deletedAt": None,
    }


def _environment_facts(place: Place) -> Answer:
    return {
        "name": place.environment,
        "projectId": place.ids.project,
        "isEphemeral": False,
        "canAccess": True,
        "createdAt": place.started.isoformat(),
        "updatedAt": place.started.isoformat(),
        "deletedAt": None,
        "unmergedChangesCount": 0,
    }


def environment(hosting: Hosting, place: Place) -> Answer:
    return {
        "id": place.ids.environment,
        **_environment_facts(place),
        "serviceInstances": paged([service_instance(hosting, place)]),
        "variables": paged([variable(name, place) for name in sorted(hosting.variables)]),
        "deployments": paged([deployment(one, place) for one in reversed(hosting.deployments)]),
    }


def variable(name: str, place: Place) -> Answer:
    """A variable by name; its value is in no field of this type."""
    return {
        "id": _id(f"variable:{name}"),
        "name": name,
        "serviceId": place.ids.service,
        "environmentId": place.ids.environment,
        "isSealed": False,
        "references": [],
        "createdAt": place.started.isoformat(),
        "updatedAt": place.started.isoformat(),
    }


def service_instance(hosting: Hosting, place: Place) -> Answer:
    newest = hosting.deployments[-1] if hosting.deployments else None
    active = [hosting.active] if hosting.active is not None else []
    moment = place.started.isoformat()
    return {
        "id": place.ids.service_instance,
        "serviceId": place.ids.service,
        "serviceName": place.service,
        "service": service(place),
        "environmentId": place.ids.environment,
        "builder": "NIXPACKS",
        "region": "local",
        "numReplicas": 1,
        "startCommand": "cd backend && python main.py",
        "healthcheckPath": hosting.health_path,
        "healthcheckTimeout": round(hosting.health_timeout_s),
        "restartPolicyType": "ON_FAILURE" if hosting.restart_retries else "NEVER",
        "restartPolicyMaxRetries": hosting.restart_retries,
        "sleepApplication": False,
        "isUpdatable": False,
        "watchPatterns": [],
        "source": {"repo": "example/pulsecheck", "image": None},
        "domains": {"customDomains": [], "serviceDomains": [_domain(place)]},
        "latestDeployment": None if newest is None else deployment(newest, place),
        "activeDeployments": [deployment(one, place) for one in active],
        "createdAt": moment,
        "updatedAt": moment,
    }


def _domain(place: Place) -> Answer:
    return {
        "id": _id("domain"),
        "domain": place.domain,
        "environmentId": place.ids.environment,
        "serviceId": place.ids.service,
        "projectId": place.ids.project,
        "targetPort": None,
        "syncStatus": "ACTIVE",
    }


def deployment(one: Deployment, place: Place) -> Answer:
    updated = (one.status_updated or one.created).isoformat()
    return {
        "id": one.id,
        "status": one.status.value,
        "createdAt": one.created.isoformat(),
        "updatedAt": updated,
        "statusUpdatedAt": updated,
        "projectId": place.ids.project,
        "environmentId": place.ids.environment,
        "serviceId": place.ids.service,
        "service": service(place),
        "environment": {"id": place.ids.environment, **_environment_facts(place)},
        "url": place.domain,
        "staticUrl": place.domain,
        "canRedeploy": one.can_redeploy,
        "canRollback": one.can_roll_back,
        "deploymentStopped": one.stopped,
        "creator": None,
        "diagnosis": None,
        "instances": _instances(one),
        "sockets": [],
        "suggestAddServiceDomain": False,
        "meta": {
            "reason": one.reason,
            "commitHash": one.build.commit,
            "commitMessage": one.build.message,
            "branch": "main",
            "repo": "example/pulsecheck",
            **({"image": one.image.id} if one.image else {}),
        },
    }


_INSTANCE_STATUS = {
    Status.DEPLOYING: "INITIALIZING",
    Status.SUCCESS: "RUNNING",
    Status.CRASHED: "CRASHED",
    Status.REMOVING: "REMOVING",
}


def _instances(one: Deployment) -> list[Answer]:
    status = "RESTARTING" if one.restarting else _INSTANCE_STATUS.get(one.status)
    return [] if status is None else [{"id": one.instance_id, "status": status}]


def event(step: Step) -> Answer:
    done = step.completed
    return {
        "id": step.id,
        "step": step.name,
        "createdAt": step.created.isoformat(),
        "completedAt": done.isoformat() if done else None,
        "payload": {
            "error": step.error,
            "reason": None,
            "detail": None,
            "attempt": step.attempts,
            "maxAttempts": None,
            "durationMs": round((done - step.created).total_seconds() * 1000) if done else None,
            "skipped": False,
        },
    }


def log_lines(
    owner: Deployment,
    lines: Iterable[LogLine],
    place: Place,
    *,
    wanted: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
) -> list[Answer]:
    """The newest `limit` lines that pass the filter, oldest first; since and until are ISO times."""
    passes = log_filter(wanted)
    first, last = parse_time(since), parse_time(until)
    chosen = [
        line
        for line in lines
        if (first is None or line.timestamp >= first)
        and (last is None or line.timestamp <= last)
        and passes(line.message, {"level": line.severity, "service": place.ids.service, "replica": owner.instance_id})
    ]
    return [_log_line(owner, line, place) for line in newest(chosen, limit)]


def newest(chosen: Sequence[T], limit: int | None) -> Sequence[T]:
    """The last `limit` of them."""
    return chosen if limit is None else chosen[max(0, len(chosen) - limit) :]


def _log_line(owner: Deployment, line: LogLine, place: Place) -> Answer:
    return {
        "timestamp": line.timestamp.isoformat(),
        "severity": line.severity,
        "message": line.message,
        "attributes": [{"key": "level", "value": line.severity}],
        "tags": {
            "projectId": place.ids.project,
            "environmentId": place.ids.environment,
            "serviceId": place.ids.service,
            "deploymentId": owner.id,
            "deploymentInstanceId": owner.instance_id,
        },
    }


def request_line(request: LoggedRequest, place: Place) -> Answer:
    return {
        "timestamp": request.timestamp.isoformat(),
        "requestId": request.request_id,
        "method": request.method,
        "path": request.path,
        "host": place.domain,
        "httpStatus": request.status,
        "totalDuration": request.total_ms,
        "upstreamRqDuration": request.upstream_ms,
        "responseDetails": request.details,
        "upstreamErrors": request.details,
        "upstreamAddress": "",
        "upstreamProto": "HTTP/1.1",
        "downstreamProto": "HTTP/1.1",
        "edgeRegion": "local",
        "deploymentId": request.deployment_id,
        "deploymentInstanceId": request.instance_id,
        "clientUa": "",
        "srcIp": "127.0.0.1",
        "rxBytes": 0,
        "txBytes": 0,
    }


def request_attributes(request: LoggedRequest) -> Mapping[str, str | int]:
    return {
        "method": request.method,
        "path": request.path,
        "httpStatus": request.status,
        "totalDuration": request.total_ms,
        "requestId": request.request_id,
    }


def by_status(requests: Iterable[LoggedRequest], step_s: int) -> list[Answer]:
    """How many requests ended with each status, per step of step_s seconds."""
    counts: dict[int, dict[int, int]] = {}
    for request in requests:
        at = _bucket(request, step_s)
        per_step = counts.setdefault(request.status, {})
        per_step[at] = per_step.get(at, 0) + 1
    return [
        {"statusCode": status, "samples": [{"ts": at, "value": float(n)} for at, n in sorted(per_step.items())]}
        for status, per_step in sorted(counts.items())
    ]


def durations(requests: Iterable[LoggedRequest], step_s: int) -> Answer:
    """Percentiles of the total duration in milliseconds (nearest rank), per step of step_s seconds."""
    steps: dict[int, list[int]] = {}
    for request in requests:
        steps.setdefault(_bucket(request, step_s), []).append(request.total_ms)
    samples = []
    for at, took in sorted(steps.items()):
        ranked = sorted(took)
        ranks = {f"p{p}": float(ranked[max(0, -(-p * len(ranked) // 100) - 1)]) for p in (50, 90, 95, 99)}
        samples.append({"ts": at, **ranks})
    return {"samples": samples}


def _bucket(request: LoggedRequest, step_s: int) -> int:
    moment = int(request.timestamp.timestamp())
    return moment - moment % step_s


def parse_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

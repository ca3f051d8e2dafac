"""Railway's GraphQL API: scope of the token, services, deployments, logs, variable names, and starting builds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.clients import railway_documents as documents
from services.clients.http import Answer, HttpClient, Kind, UpstreamError, failure
from services.clients.redaction import redact
from services.errors import Unavailable
from services.settings import Target

ENDPOINT = "/graphql/v2"
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Scope:
    """What a project token reaches: one environment of one project."""

    project_id: str
    environment_id: str
    project: str
    environment: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service in the environment with its start and health-check settings (timeout in seconds)."""

    id: str
    name: str
    start_command: str | None
    healthcheck_path: str | None
    healthcheck_timeout_s: int | None
    restart_policy: str | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. status is Railway's word; running: an instance of it runs now."""

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


@dataclass(frozen=True, slots=True)
class LogLine:
    at: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class DeploymentEvent:
    """A step of a deployment and why it failed, where it did."""

    step: str
    created_at: str
    completed_at: str | None
    error: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable by name; its value is never asked for."""

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
class Budget:
    """What the hourly allowance still holds, as the last answer's headers said."""

    limit: int | None
    remaining: int | None
    reset: str | None


class RailwayClient:
    """Calls with a project token. Raises UpstreamError; nothing is retried."""

    def __init__(self, url: str, token: str, service_id: str | None = None) -> None:
        base = url.rstrip("/").removesuffix(ENDPOINT)
        self._http = HttpClient("Railway", base, headers={"project-access-token": token})
        self._service_id = service_id
        self._scope: Scope | None = None
        self.budget: Budget | None = None

    @classmethod
    def of(cls, target: Target) -> RailwayClient:
        """The client of a target. Raises Unavailable where its settings do not name Railway."""
        if target.railway_url is None or target.railway_token is None:
            raise Unavailable(
                f"{target.name} has no Railway address and token.",
                "The platform was not asked.",
                "Set railway_url and railway_token.",
                place=f"targets.{target.name}.railway_url",
            )
        return cls(target.railway_url, target.railway_token.get_secret_value(), target.railway_service_id)

    def close(self) -> None:
        self._http.close()

    def scope(self) -> Scope:
        """What the token reaches; asked once."""
        if self._scope is None:
            token = self._ask(documents.SCOPE)["projectToken"]
            self._scope = Scope(
                token["projectId"], token["environmentId"], token["project"]["name"], token["environment"]["name"]
            )
        return self._scope

    def services(self) -> list[Service]:
        scope = self.scope()
        wanted = {"environmentId": scope.environment_id, "projectId": scope.project_id}
        return [
            Service(
                node["serviceId"],
                node["serviceName"],
                node["startCommand"],
                node["healthcheckPath"],
                node["healthcheckTimeout"],
                node["restartPolicyType"],
            )
            for node in self._pages(documents.SERVICES, wanted, "serviceInstances")
        ]

    def service_id(self) -> str:
        """The service in the settings, else the only one of the environment. Raises Unavailable for several."""
        if self._service_id is None:
            found = self.services()
            if len(found) != 1:
                raise Unavailable(
                    f"The environment has {len(found)} services and the settings name none.",
                    do="Set railway_service_id.",
                    place="railway_service_id",
                )
            self._service_id = found[0].id
        return self._service_id

    def deployments(self, first: int = 20) -> list[Deployment]:
        """The service's deployments, newest first."""
        scope = self.scope()
        wanted = {
            "projectId": scope.project_id,
            "environmentId": scope.environment_id,
            "serviceId": self.service_id(),
        }
        found = self._ask(documents.DEPLOYMENTS, {"input": wanted, "first": first})["deployments"]["edges"]
        return sorted((_deployment(edge["node"]) for edge in found), key=lambda d: d.created_at, reverse=True)

    def deployment(self, deployment_id: str) -> Deployment:
        return _deployment(self._ask(documents.DEPLOYMENT, {"id": deployment_id})["deployment"])

    def events(self, deployment_id: str, first: int = 30) -> list[DeploymentEvent]:
        edges = self._ask(documents.EVENTS, {"id": deployment_id, "first": first})["deploymentEvents"]["edges"]
        return [
            DeploymentEvent(
                node["step"],
                node["createdAt"],
                node["completedAt"],
                (node["payload"] or {}).get("error"),
                (node["payload"] or {}).get("reason"),
            )
            for node in (edge["node"] for edge in edges)
        ]

    def build_logs(self, deployment_id: str, limit: int = 200, filter: str | None = None) -> list[LogLine]:
        return self._logs(documents.BUILD_LOGS, "buildLogs", deployment_id, limit, filter)

    def deployment_logs(self, deployment_id: str, limit: int = 200, filter: str | None = None) -> list[LogLine]:
        """filter: Railway's syntax, for example '@level:error'."""
        return self._logs(documents.DEPLOYMENT_LOGS, "deploymentLogs", deployment_id, limit, filter)

    def variable_names(self) -> list[Variable]:
        """The names of the variables that the service sees: its own and those shared in the environment."""
        scope, service = self.scope(), self.service_id()
        wanted = {"environmentId": scope.environment_id, "projectId": scope.project_id}
        nodes = self._pages(documents.VARIABLE_NAMES, wanted, "variables")
        found = [Variable(node["name"], node["serviceId"], bool(node["isSealed"])) for node in nodes]
        return [one for one in found if one.service_id in (None, service)]

    def requests(self, start: datetime, end: datetime) -> Requests:
        """How many answers the service gave between two moments, and how many of them were 5xx."""
        wanted = {
            "serviceId": self.service_id(),
            "environmentId": self.scope().environment_id,
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
        }
        groups = self._ask(documents.HTTP_STATUSES, wanted)["httpMetricsGroupedByStatus"]
        sums = {int(g["statusCode"]): sum(float(sample["value"]) for sample in g["samples"]) for g in groups}
        return Requests(round(sum(sums.values())), round(sum(n for status, n in sums.items() if status >= 500)))

    def platform_status(self) -> Mapping[str, Any]:
        """{isStable, incident, maintenance} as Railway itself says."""
        found: Mapping[str, Any] = self._ask(documents.PLATFORM_STATUS)["platformStatus"]
        return found

    def restart(self, deployment_id: str) -> None:
        """Start the same image again; builds nothing and changes no code."""
        self._accepted(self._ask(documents.RESTART, {"id": deployment_id})["deploymentRestart"], "restart")

    def redeploy(self, deployment_id: str) -> str:
        """Build and start the same commit again; the id of the new deployment."""
        return str(self._ask(documents.REDEPLOY, {"id": deployment_id})["deploymentRedeploy"]["id"])

    def deploy_commit(self, commit: str) -> str:
        """Build and start a commit; the id of the new deployment."""
        wanted = {
            "environmentId": self.scope().environment_id,
            "serviceId": self.service_id(),
            "commitSha": commit,
        }
        return str(self._ask(documents.DEPLOY_COMMIT, wanted)["serviceInstanceDeployV2"])

    def rollback(
        self, deployment_id: str, *, wait_s: float = 30.0, pause: Callable[[float], None] = time.sleep
    ) -> Deployment:
        """Bring back a deployment's image and variables. Railway answers only true, so the new deployment is
        looked for among those that were not there before. Raises Unavailable where none appears within wait_s."""
        known = {one.id for one in self.deployments()}
        self._accepted(self._ask(documents.ROLLBACK, {"id": deployment_id})["deploymentRollback"], "rollback")
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            fresh = [one for one in self.deployments() if one.id not in known]
            if fresh:
                return fresh[0]
            pause(POLL_S)
        raise Unavailable(
            "Railway accepted the rollback, but no new deployment appeared.",
            "What serves now is not known.",
            "Look at the deployments in Railway before doing anything else.",
        )

    def _logs(self, document: str, field: str, deployment_id: str, limit: int, filter: str | None) -> list[LogLine]:
        lines = self._ask(document, {"deploymentId": deployment_id, "limit": limit, "filter": filter})[field]
        return [LogLine(str(x["timestamp"]), str(x["severity"] or ""), redact(str(x["message"]))) for x in lines]

    def _pages(self, document: str, variables: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            page = self._ask(document, {**variables, "after": after})["environment"][field]
            nodes.extend(edge["node"] for edge in page["edges"])
            if not page["pageInfo"]["hasNextPage"]:
                return nodes
            after = page["pageInfo"]["endCursor"]

    def _accepted(self, answer: object, action: str) -> None:
        if answer is not True:
            raise UpstreamError("Railway", Kind.NOT_UNDERSTOOD, f"Railway did not confirm the {action}.")

    def _ask(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._http.request("POST", ENDPOINT, json={"query": document, "variables": dict(variables or {})})
        self.budget = _budget(answer)
        if answer.status == 429:
            raise failure(answer, Kind.RATE_LIMITED)
        if not answer.ok and not answer.body.lstrip().startswith(b"{"):
            raise failure(answer)
        body = answer.json()
        errors = body.get("errors") if isinstance(body, dict) else None
        if errors:
            raise _graphql_error(answer, errors)
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict) or any(value is None for value in data.values()):
            raise UpstreamError("Railway", Kind.NOT_UNDERSTOOD, "Railway's answer holds no data.", status=answer.status)
        return data


def pushed_last(deployments: Sequence[Deployment]) -> Deployment | None:
    """The newest deployment of the commit that was pushed last; None where nothing was ever pushed.

    deployments: newest first. A redeploy or a rollback is no push, so that after a back-out this is still the new code.
    """
    pushes = [one for one in deployments if one.reason in (None, "deploy")]
    if not pushes:
        return None
    commit = pushes[0].commit
    return next((one for one in deployments if commit is not None and one.commit == commit), pushes[0])


def _deployment(node: Mapping[str, Any]) -> Deployment:
    meta = node.get("meta") or {}
    return Deployment(
        id=node["id"],
        status=node["status"],
        created_at=datetime.fromisoformat(node["createdAt"]),
        service_id=node.get("serviceId"),
        commit=meta.get("commitHash"),
        message=meta.get("commitMessage"),
        reason=meta.get("reason"),
        can_redeploy=bool(node["canRedeploy"]),
        can_rollback=bool(node["canRollback"]),
        stopped=bool(node["deploymentStopped"]),
        running=any(instance["status"] == "RUNNING" for instance in node.get("instances") or []),
        url=node.get("staticUrl") or node.get("url"),
    )


def _budget(answer: Answer) -> Budget:
    def number(name: str) -> int | None:
        text = answer.headers.get(name, "")
        return int(text) if text.isdigit() else None

    return Budget(number("x-ratelimit-limit"), number("x-ratelimit-remaining"), answer.headers.get("x-ratelimit-reset"))


def _graphql_error(answer: Answer, errors: object) -> UpstreamError:
    first = errors[0] if isinstance(errors, list) and errors else {}
    said = str(first.get("message", "")) if isinstance(first, dict) else ""
    low = said.lower()
    kind = Kind.NOT_UNDERSTOOD
    if "project token not found" in low or "not authorized" in low:
        kind = Kind.UNAUTHORISED
    elif "not found" in low:
        kind = Kind.MISSING
    elif "problem processing request" in low or answer.status >= 500:
        kind = Kind.SERVER_ERROR
    return UpstreamError(
        "Railway", kind, f"Railway refused the request: {redact(said)[:200]}", status=answer.status, detail=said
    )

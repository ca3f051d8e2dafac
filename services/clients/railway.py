"""Railway's GraphQL API: scope of the token, services, deployments, logs, variable names, and starting builds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import SecretStr

from services.clients import railway_documents as documents
from services.clients.budget import Allowance, Budget
from services.clients.http import Answer, HoldsSecrets, HttpClient, Kind, Reason, UpstreamError, failure, kind_of
from services.clients.railway_answers import (
    Deployment,
    DeploymentEvent,
    Durations,
    HttpLogLine,
    LogLine,
    Requests,
    Scope,
    Service,
    Variable,
    pushed_last,
    read_deployment,
    read_deployments,
    read_durations,
    read_event,
    read_http_log_line,
    read_id,
    read_log_line,
    read_platform_status,
    read_requests,
    read_scope,
    read_service,
    read_variable,
)
from services.errors import Unavailable
from services.settings import Target

__all__ = [
    "Budget",
    "Deployment",
    "DeploymentEvent",
    "Durations",
    "HttpLogLine",
    "LogLine",
    "RailwayClient",
    "Requests",
    "Scope",
    "Service",
    "Variable",
    "pushed_last",
]

T = TypeVar("T")
ENDPOINT = "/graphql/v2"
POLL_S = 0.5
MOST_PAGES = 20


class RailwayClient(HoldsSecrets):
    """Calls with a project token. Raises UpstreamError; nothing is retried.

    After a 429 that says how long to wait, nothing is sent until that time is over.
    """

    def __init__(self, url: str, token: str | SecretStr, service_id: str | None = None) -> None:
        base = url.rstrip("/").removesuffix(ENDPOINT)
        self._http = HttpClient("Railway", base, headers={"project-access-token": token})
        self._allowance = Allowance("Railway", "hour")
        self._service_id = service_id
        self._scope: Scope | None = None

    @property
    def budget(self) -> Budget | None:
        """What the last answer that told it said of the calls left this hour; None before any did."""
        return self._allowance.budget

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
        return cls(target.railway_url, target.railway_token, target.railway_service_id)

    def close(self) -> None:
        self._http.close()

    def scope(self) -> Scope:
        """What the token reaches; asked once."""
        if self._scope is None:
            self._scope = self._ask(documents.SCOPE, None, lambda data: read_scope(data["projectToken"]))
        return self._scope

    def services(self) -> list[Service]:
        scope = self.scope()
        wanted = {"environmentId": scope.environment_id, "projectId": scope.project_id}
        return self._pages(documents.SERVICES, wanted, "serviceInstances", read_service)

    def service(self) -> Service:
        """The service that is looked at, with its health-check settings. Raises Unavailable where it is not there."""
        wanted = self.service_id()
        found = next((one for one in self.services() if one.id == wanted), None)
        if found is None:
            raise Unavailable(
                "The environment has no service with the id in the settings.",
                "Its settings are not known.",
                "Correct railway_service_id.",
                place="railway_service_id",
            )
        return found

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
        return self._ask(
            documents.DEPLOYMENTS,
            {"input": wanted, "first": first},
            lambda data: read_deployments(data["deployments"]),
        )

    def deployment(self, deployment_id: str) -> Deployment:
        """One deployment, with Railway's own diagnosis where it has one."""
        return self._ask(documents.DEPLOYMENT, {"id": deployment_id}, lambda data: read_deployment(data["deployment"]))

    def events(self, deployment_id: str, first: int = 30) -> list[DeploymentEvent]:
        return self._ask(
            documents.EVENTS,
            {"id": deployment_id, "first": first},
            lambda data: [read_event(edge) for edge in data["deploymentEvents"]["edges"]],
        )

    def build_logs(self, deployment_id: str, limit: int = 200, filter: str | None = None) -> list[LogLine]:
        return self._lines(documents.BUILD_LOGS, "buildLogs", deployment_id, limit, filter, read_log_line)

    def deployment_logs(self, deployment_id: str, limit: int = 200, filter: str | None = None) -> list[LogLine]:
        """filter: Railway's syntax, for example '@level:error'."""
        return self._lines(documents.DEPLOYMENT_LOGS, "deploymentLogs", deployment_id, limit, filter, read_log_line)

    def http_logs(self, deployment_id: str, limit: int = 200, filter: str | None = None) -> list[HttpLogLine]:
        """Requests as Railway's edge saw them. filter: for example '@httpStatus:500..599 AND @totalDuration:>5000'."""
        return self._lines(documents.HTTP_LOGS, "httpLogs", deployment_id, limit, filter, read_http_log_line)

    def variable_names(self) -> list[Variable]:
        """The names of the variables that the service sees: its own and those shared in the environment.

        Where the token may not list names alone, the variables are asked for whole and their values dropped unread.
        """
        scope, service = self.scope(), self.service_id()
        wanted = {"environmentId": scope.environment_id, "projectId": scope.project_id}
        try:
            found = self._pages(documents.VARIABLE_NAMES, wanted, "variables", read_variable)
        except UpstreamError as error:
            if error.kind not in (Kind.UNAUTHORISED, Kind.FORBIDDEN):
                raise
            answer = self._answered(documents.VARIABLES, {**wanted, "serviceId": service})
            return [Variable(name, service, False) for name in _names_alone(answer)]
        return [one for one in found if one.service_id in (None, service)]

    def requests(self, start: datetime, end: datetime) -> Requests:
        """How many answers the service gave between two moments, and how many of them were 5xx."""
        wanted = self._span(start, end)
        return self._ask(
            documents.HTTP_STATUSES, wanted, lambda data: read_requests(data["httpMetricsGroupedByStatus"])
        )

    def durations(self, start: datetime, end: datetime, *, step_s: int | None = None) -> list[Durations]:
        """How long the service's answers took between two moments, in steps of time, oldest first."""
        wanted = {**self._span(start, end), "stepSeconds": step_s}
        return self._ask(documents.HTTP_DURATIONS, wanted, lambda data: read_durations(data["httpDurationMetrics"]))

    def platform_status(self) -> Mapping[str, Any]:
        """{isStable, incident, maintenance} as Railway itself says."""
        return self._ask(documents.PLATFORM_STATUS, None, lambda data: read_platform_status(data["platformStatus"]))

    def restart(self, deployment_id: str) -> None:
        """Start the same image again; builds nothing and changes no code."""
        self._accepted(documents.RESTART, deployment_id, "deploymentRestart", "restart")

    def redeploy(self, deployment_id: str) -> str:
        """Build and start the same commit again; the id of the new deployment."""
        return self._ask(documents.REDEPLOY, {"id": deployment_id}, lambda data: read_id(data["deploymentRedeploy"]))

    def deploy_commit(self, commit: str) -> str:
        """Build and start a commit; the id of the new deployment."""
        wanted = {
            "environmentId": self.scope().environment_id,
            "serviceId": self.service_id(),
            "commitSha": commit,
        }
        return self._ask(documents.DEPLOY_COMMIT, wanted, lambda data: read_id({"id": data["serviceInstanceDeployV2"]}))

    def rollback(
        self, deployment_id: str, *, wait_s: float = 30.0, pause: Callable[[float], None] = time.sleep
    ) -> Deployment:
        """Bring back a deployment's image and variables. Railway answers only true, so the new deployment is
        looked for among those that were not there before. Raises Unavailable where none appears within wait_s."""
        known = {one.id for one in self.deployments()}
        self._accepted(documents.ROLLBACK, deployment_id, "deploymentRollback", "rollback")
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

    def _span(self, start: datetime, end: datetime) -> dict[str, Any]:
        return {
            "serviceId": self.service_id(),
            "environmentId": self.scope().environment_id,
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
        }

    def _lines(
        self,
        document: str,
        field: str,
        deployment_id: str,
        limit: int,
        filter: str | None,
        parse: Callable[[Any], T],
    ) -> list[T]:
        wanted = {"deploymentId": deployment_id, "limit": limit, "filter": filter}
        return self._ask(document, wanted, lambda data: [parse(line) for line in data[field]])

    def _pages(self, document: str, variables: Mapping[str, Any], field: str, parse: Callable[[Any], T]) -> list[T]:
        """All nodes of a list in the environment; a list that does not end is not understood."""

        def read(data: Any) -> tuple[list[T], str | None]:
            page = data["environment"][field]
            more = page["pageInfo"]["hasNextPage"]
            return [parse(edge["node"]) for edge in page["edges"]], str(page["pageInfo"]["endCursor"]) if more else None

        nodes: list[T] = []
        after: str | None = None
        for _ in range(MOST_PAGES):
            found, after = self._ask(document, {**variables, "after": after}, read)
            nodes.extend(found)
            if after is None:
                return nodes
        raise UpstreamError("Railway", Kind.NOT_UNDERSTOOD, "Railway's list does not end.", reason=Reason.WRONG_TYPE)

    def _accepted(self, document: str, deployment_id: str, field: str, action: str) -> None:
        if not self._ask(document, {"id": deployment_id}, lambda data: data[field] is True):
            raise UpstreamError("Railway", Kind.NOT_UNDERSTOOD, f"Railway did not confirm the {action}.")

    def _ask(self, document: str, variables: Mapping[str, Any] | None, parse: Callable[[Any], T]) -> T:
        """What `parse` makes of the answer's data. Raises UpstreamError."""
        answer = self._answered(document, variables)
        found = answer.read(lambda body: _data(body, parse))
        if found is None:
            raise UpstreamError("Railway", Kind.NOT_UNDERSTOOD, "Railway's answer holds no data.", status=answer.status)
        return found[0]

    def _answered(self, document: str, variables: Mapping[str, Any] | None) -> Answer:
        """The answer to a document that was not refused."""
        self._allowance.require()
        answer = self._http.request("POST", ENDPOINT, json={"query": document, "variables": dict(variables or {})})
        self._allowance.note(answer.status, answer.headers)
        if answer.status == 429 or (not answer.ok and not answer.body.lstrip().startswith(b"{")):
            raise failure(answer)
        refused = _refusal(answer)
        if refused is not None:
            raise refused
        if not answer.ok:
            raise failure(answer)
        return answer


def _data(body: Any, parse: Callable[[Any], T]) -> tuple[T] | None:
    """What the data holds, in a tuple of one; None where there is no data or a part of it is null."""
    data = body["data"]
    if data is None or any(value is None for value in data.values()):
        return None
    return (parse(data),)


def _refusal(answer: Answer) -> UpstreamError | None:
    """The error that the answer's first error stands for; None where it has none. It counts whatever the status is."""

    def read(body: Any) -> UpstreamError | None:
        errors = body.get("errors")
        if not errors:
            return None
        first = errors[0]
        said = first.get("message") or "no reason given" if isinstance(first, dict) else first
        return _graphql_error(answer, str(said))

    try:
        return answer.read(read)
    except UpstreamError:
        if answer.ok:
            raise
        # A failing status says enough by itself.
        return None


def _names_alone(answer: Answer) -> list[str]:
    """The names in an answer full of secrets: each value is replaced while the text is being taken apart."""
    unread = Answer(answer.upstream, answer.url, answer.status, answer.headers, b"null", answer.took_s)

    def names(_: Any) -> list[str]:
        body = json.loads(answer.body, object_pairs_hook=_without_texts)
        return sorted(body["data"]["variables"])

    return unread.read(names)


def _without_texts(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value if isinstance(value, dict) else None for name, value in pairs}


def _graphql_error(answer: Answer, said: str) -> UpstreamError:
    low = said.lower()
    kind = Kind.SERVER_ERROR if answer.status >= 500 else Kind.NOT_UNDERSTOOD
    if "project token not found" in low or "not authorized" in low:
        kind = Kind.UNAUTHORISED
    elif "two factor" in low:
        kind = Kind.FORBIDDEN
    elif "too many requests" in low or "rate limit" in low:
        kind = Kind.RATE_LIMITED
    elif "not found" in low:
        kind = Kind.MISSING
    elif "problem processing request" in low:
        kind = Kind.SERVER_ERROR
    elif answer.status in (401, 402, 403):
        kind = kind_of(answer.status)
    words = answer.redacted(said)[:200]
    return UpstreamError(
        "Railway",
        kind,
        f"Railway refused the request: {words.rstrip('.')}.",
        status=answer.status,
        detail=words,
        took_s=answer.took_s,
    )

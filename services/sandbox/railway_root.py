"""What each query and mutation of Railway's schema does here; anything not named is refused by execution itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphql import GraphQLError

from services.sandbox import railway_view as view
from services.sandbox.edge import LoggedRequest
from services.sandbox.hosting import Hosting, HostingRefused
from services.sandbox.log_filter import InvalidFilter, log_filter
from services.sandbox.railway_view import Answer, Place, PlatformIncident

Resolver = Callable[..., Any]

NOT_AUTHORIZED = "Not Authorized"
DEFAULT_LOG_LINES = 500
GIGABYTE = 1024**3


def queries(hosting: Hosting, place: Place, incidents: Mapping[str, PlatformIncident]) -> dict[str, Resolver]:
    """Resolvers by the name of the query; each gets the arguments as the schema spells them."""
    ids = place.ids
    found: dict[str, Resolver] = {
        "projectToken": lambda: {
            "id": ids.token,
            "name": "sandbox",
            "displayToken": "********",
            "createdAt": place.started.isoformat(),
            "projectId": ids.project,
            "environmentId": ids.environment,
            "project": view.project(place),
            "environment": view.environment(hosting, place),
        },
        "project": lambda **_: view.project(place),
        "environment": lambda **_: view.environment(hosting, place),
        "environments": lambda **page: view.connection([view.environment(hosting, place)], **_page(page)),
        "serviceInstance": lambda **_: view.service_instance(hosting, place),
        "serviceInstanceLimits": lambda **_: {"containers": {"cpu": 2, "memoryBytes": 2 * GIGABYTE}},
        "deployments": lambda **arguments: _deployments(hosting, place, **arguments),
        "deployment": lambda id: view.deployment(hosting.deployment(id), place),
        "deploymentEvents": lambda id, **page: view.connection(
            [view.event(step) for step in hosting.deployment(id).steps], **_page(page)
        ),
        "buildLogs": lambda **arguments: _logs(hosting, place, "build_log", **arguments),
        "deploymentLogs": lambda **arguments: _logs(hosting, place, "runtime_log", **arguments),
        "environmentLogs": lambda **arguments: _environment_logs(hosting, place, **arguments),
        "httpLogs": lambda **arguments: _http_logs(hosting, place, **arguments),
        "httpMetricsGroupedByStatus": lambda **arguments: view.by_status(
            _requests(hosting, **arguments), arguments.get("stepSeconds") or 60
        ),
        "httpDurationMetrics": lambda **arguments: view.durations(
            _requests(hosting, **arguments), arguments.get("stepSeconds") or 60
        ),
        "metrics": lambda **arguments: _memory(hosting, place, **arguments),
        "variables": lambda **_: dict(hosting.variables),
        "platformStatus": lambda: view.platform_status(incidents),
        "environmentStagedChanges": lambda **_: {
            "id": ids.environment,
            "status": "STAGED",
            "createdAt": place.started.isoformat(),
            "updatedAt": place.started.isoformat(),
            "environmentId": ids.environment,
        },
        "apiToken": _not_authorized,
        "me": _not_authorized,
    }
    return {name: _guarded(resolver, place) for name, resolver in found.items()}


def of_an_account() -> dict[str, Resolver]:
    """What changes where the token is an account's: it is nobody's project token, and it knows whose it is."""
    me = {"id": "sandbox-account", "name": "Sandbox account", "email": "account@sandbox.example"}
    return {"me": lambda _info: me, "projectToken": lambda _info: _not_a_project_token()}


def mutations(hosting: Hosting, place: Place) -> dict[str, Resolver]:
    """Resolvers by the name of the mutation. They return at once; what they began shows in the deployments."""
    found: dict[str, Resolver] = {
        "deploymentRestart": lambda id: bool(hosting.restart(id)),
        "deploymentRedeploy": lambda id, usePreviousImageTag=False: view.deployment(  # noqa: N803
            hosting.redeploy(id, keep_image=bool(usePreviousImageTag)), place
        ),
        "deploymentRollback": lambda id: bool(hosting.rollback(id)),
        "deploymentCancel": lambda id: _did(hosting.cancel, id),
        "deploymentStop": lambda id: _did(hosting.stop, id),
        "deploymentRemove": lambda id: _did(hosting.remove, id),
        "serviceInstanceRedeploy": lambda **_: bool(hosting.redeploy(_newest_id(hosting))),
        "serviceInstanceDeployV2": lambda **arguments: hosting.deploy_commit(arguments.get("commitSha")).id,
        "serviceInstanceUpdate": lambda **arguments: _update(hosting, arguments["input"]),
        "variableUpsert": lambda input: _set_variable(hosting, input),
    }
    return {name: _guarded(resolver, place) for name, resolver in found.items()}


def _guarded(resolver: Resolver, place: Place) -> Resolver:
    """Refuse other people's ids, and say the platform's refusals as GraphQL errors."""
    own = {
        "projectId": place.ids.project,
        "environmentId": place.ids.environment,
        "serviceId": place.ids.service,
    }

    def resolve(info: Any, **arguments: Any) -> Any:
        given = {**arguments, **(arguments.get("input") or {})}
        if info.field_name in {"project", "environment"}:
            given[f"{info.field_name}Id"] = given["id"]
        if any(given.get(name) not in {None, mine} for name, mine in own.items()):
            _not_authorized()
        try:
            return resolver(**arguments)
        except (HostingRefused, InvalidFilter) as error:
            raise GraphQLError(str(error)) from error

    return resolve


def _not_a_project_token() -> Any:
    raise GraphQLError("Project Token not found")


def _not_authorized() -> Any:
    raise GraphQLError(NOT_AUTHORIZED)


def _did(action: Callable[[str], None], deployment_id: str) -> bool:
    action(deployment_id)
    return True


def _page(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: arguments.get(name) for name in ("first", "after")}


def _newest_id(hosting: Hosting) -> str:
    if not hosting.deployments:
        raise HostingRefused("Service has no deployments")
    return hosting.deployments[-1].id


def _deployments(hosting: Hosting, place: Place, **arguments: Any) -> Answer:
    status = arguments["input"].get("status") or {}
    wanted, unwanted = status.get("in"), status.get("notIn") or []
    chosen = [
        view.deployment(one, place)
        for one in reversed(hosting.deployments)
        if (wanted is None or one.status in wanted) and one.status not in unwanted
    ]
    return view.connection(chosen, **_page(arguments))


def _logs(hosting: Hosting, place: Place, which: str, **arguments: Any) -> list[Answer]:
    owner = hosting.deployment(arguments["deploymentId"])
    return view.log_lines(
        owner,
        getattr(owner, which),
        place,
        wanted=arguments.get("filter"),
        since=arguments.get("startDate"),
        until=arguments.get("endDate"),
        limit=arguments.get("limit") or DEFAULT_LOG_LINES,
    )


def _environment_logs(hosting: Hosting, place: Place, **arguments: Any) -> list[Answer]:
    lines = [
        line
        for one in hosting.deployments
        for line in view.log_lines(one, one.runtime_log, place, wanted=arguments.get("filter"))
    ]
    lines.sort(key=lambda line: str(line["timestamp"]))
    return _around(lines, **arguments)


def _http_logs(hosting: Hosting, place: Place, **arguments: Any) -> list[Answer]:
    passes = log_filter(arguments.get("filter"))
    lines = [
        view.request_line(one, place)
        for one in hosting.edge.requests
        if one.deployment_id == arguments["deploymentId"] and passes(one.path, view.request_attributes(one))
    ]
    return _around(lines, **arguments)


def _around(lines: list[Answer], **arguments: Any) -> list[Answer]:
    """The lines before and after an anchor, oldest first; without an anchor the newest ones."""
    anchor = arguments.get("anchorDate")
    before = view.parse_time(arguments.get("beforeDate") or anchor)
    after = view.parse_time(arguments.get("afterDate") or anchor)
    if before is None and after is None:
        return list(view.newest(lines, arguments.get("limit") or arguments.get("beforeLimit") or DEFAULT_LOG_LINES))
    times = [(view.parse_time(line["timestamp"]), line) for line in lines]
    older = [line for at, line in times if before is not None and at is not None and at < before]
    newer = [line for at, line in times if after is not None and at is not None and at >= after]
    first_newer = newer[: _limit(arguments.get("afterLimit"))]
    return [*view.newest(older, _limit(arguments.get("beforeLimit"))), *first_newer]


def _limit(given: int | None) -> int:
    return DEFAULT_LOG_LINES if given is None else given


def _requests(hosting: Hosting, **arguments: Any) -> Iterable[LoggedRequest]:
    since, until = view.parse_time(arguments["startDate"]), view.parse_time(arguments["endDate"])
    assert since is not None
    assert until is not None
    for one in hosting.edge.requests:
        wanted = {"path": one.path, "method": one.method, "statusCode": one.status}
        if since <= one.timestamp <= until and all(arguments.get(name) in {None, has} for name, has in wanted.items()):
            yield one


def _memory(hosting: Hosting, place: Place, **arguments: Any) -> list[Answer]:
    """The memory of the serving process, now; nothing else is measured here, and what is not has no values."""
    active = hosting.active
    size = active.process.memory_bytes() if active is not None and active.process is not None else None
    if size is None or active is None or "MEMORY_USAGE_GB" not in arguments["measurements"]:
        return []
    tags = {"serviceId": place.ids.service, "deploymentId": active.id, "region": "local"}
    value = {"ts": int(hosting.clock().timestamp()), "value": size / GIGABYTE}
    return [{"measurement": "MEMORY_USAGE_GB", "tags": tags, "values": [value]}]


def _update(hosting: Hosting, wanted: dict[str, Any]) -> bool:
    """Only the health check can be changed here."""
    others = sorted(set(wanted) - {"healthcheckPath", "healthcheckTimeout"})
    if others:
        raise HostingRefused(f"Not supported here: {', '.join(others)}")
    hosting.health_path = wanted.get("healthcheckPath") or hosting.health_path
    hosting.health_timeout_s = wanted.get("healthcheckTimeout") or hosting.health_timeout_s
    return True


def _set_variable(hosting: Hosting, wanted: dict[str, Any]) -> bool:
    """As on the platform, a change of a variable deploys the serving commit again, unless told not to."""
    hosting.variables[wanted["name"]] = wanted["value"]
    if hosting.active is not None and not wanted.get("skipDeploys"):
        hosting.redeploy(hosting.active.id)
    return True

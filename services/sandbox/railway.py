"""Railway's public API in front of the hosting platform: GraphQL requests are executed against the published schema."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_client_schema,
    execute,
    parse,
    validate,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.hosting import Hosting
from services.sandbox.railway_root import mutations, of_an_account, queries
from services.sandbox.railway_view import Ids, Place, PlatformIncident
from services.sandbox.rate_limit import RateLimit

PATH = "/graphql/v2"
SCHEMA_FILE = Path(__file__).parent / "data" / "railway-schema.json.gz"
HOURLY_LIMIT = 10_000
KEPT_OPERATIONS = 10_000
NOT_AUTHORIZED = "Not Authorized"
TOKEN_NOT_FOUND = "Project Token not found"


@cache
def railway_schema() -> GraphQLSchema:
    """The published schema, built once. It names a deprecated field in an interface, which is why it is not checked."""
    return build_client_schema(json.loads(gzip.decompress(SCHEMA_FILE.read_bytes())), assume_valid=True)


@lru_cache(maxsize=256)
def _understood(query: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    try:
        document = parse(query)
    except GraphQLError as error:
        return None, (error,)
    return document, tuple(validate(railway_schema(), document))


@dataclass
class RailwayState:
    """What the API believes of the platform and of the token's budget.

    limit:     how many requests an hour of the world's clock the token may make
    incidents: what the platform admits to suffer from, by the id under which it does
    asked:     the newest operations that were carried out ("query deployments"), oldest first
    """

    limit: RateLimit
    incidents: dict[str, PlatformIncident] = field(default_factory=dict)
    asked: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_OPERATIONS))

    @classmethod
    def new(cls, clock: Callable[[], datetime], hourly: int = HOURLY_LIMIT) -> RailwayState:
        return cls(RateLimit(clock, hourly))

    def clear(self) -> None:
        """Take back whatever a fault has bent."""
        self.limit.taken.clear()
        self.incidents.clear()
        self.asked.clear()


def railway_app(
    hosting: Hosting,
    token: str,
    *,
    account_token: str | None = None,
    ids: Ids | None = None,
    project: str = "sandbox",
    service: str = "app",
    domain: str = "127.0.0.1",
    state: RailwayState | None = None,
) -> Starlette:
    """POST /graphql/v2 with {query, variables, operationName} and the project token in `Project-Access-Token`.

    account_token: the token of the account that owns the project, taken as a bearer token; None: there is none
    domain: host and port of the service's public address
    """
    state = state or RailwayState.new(hosting.clock)
    limit = state.limit
    place = Place(ids or Ids(), project, service, domain, hosting.clock())
    by_project: dict[str, Any] = {**queries(hosting, place, state.incidents), **mutations(hosting, place)}
    by_account: dict[str, Any] = {**by_project, **of_an_account()}

    async def answer(request: Request) -> Response:
        if not limit.take():
            headers = {**_headers(limit), "retry-after": str(limit.ends_in_s)}
            return JSONResponse(errors("Too many requests"), status_code=429, headers=headers)
        root = by_account if account_token and _bearer(request) == account_token else by_project
        refusal = _refusal(request, token) if root is by_project else None
        if refusal is not None:
            return JSONResponse(errors(refusal), headers=_headers(limit))
        status, body = await _execute(request, root, state.asked.extend)
        return JSONResponse(body, status_code=status, headers=_headers(limit))

    return Starlette(routes=[Route(PATH, answer, methods=["POST"])])


def _headers(limit: RateLimit) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit.allowed),
        "x-ratelimit-remaining": str(limit.left),
        "x-ratelimit-reset": str(limit.ends_at),
    }


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _refusal(request: Request, token: str) -> str | None:
    given = request.headers.get("project-access-token")
    if given is None:
        return NOT_AUTHORIZED
    return None if given == token else TOKEN_NOT_FOUND


async def _execute(
    request: Request, root: Mapping[str, Any], note: Callable[[list[str]], None]
) -> tuple[int, dict[str, Any]]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return 400, errors("Must provide a query string.")
    # The first request pays for building the schema: in a thread, so that nobody else waits for it.
    document, problems = await asyncio.to_thread(_understood, body["query"])
    if document is None or problems:
        return 400, {"errors": [problem.formatted for problem in problems]}
    note(_operations(document))
    try:
        outcome = execute(
            railway_schema(),
            document,
            root_value=root,
            variable_values=body.get("variables") or {},
            operation_name=body.get("operationName"),
        )
    except (GraphQLError, TypeError) as error:
        return 400, errors(str(error))
    assert isinstance(outcome, ExecutionResult)
    answered: dict[str, Any] = dict(outcome.formatted)
    return 200, answered


def _operations(document: DocumentNode) -> list[str]:
    """Every field asked for at the top of the document, with the kind of its operation before it."""
    return [
        f"{one.operation.value} {chosen.name.value}"
        for one in document.definitions
        if isinstance(one, OperationDefinitionNode)
        for chosen in one.selection_set.selections
        if isinstance(chosen, FieldNode)
    ]


def errors(message: str) -> dict[str, Any]:
    """An answer that is nothing but one error, as the API words it."""
    return {"errors": [{"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR"}}], "data": None}

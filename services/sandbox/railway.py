"""Railway's public API in front of the hosting platform: GraphQL requests are executed against the published schema."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
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
from services.sandbox.railway_root import mutations, queries
from services.sandbox.railway_view import Ids, Place

PATH = "/graphql/v2"
SCHEMA_FILE = Path(__file__).parent / "data" / "railway-schema.json.gz"
HOURLY_LIMIT = 10_000
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


def railway_app(
    hosting: Hosting,
    token: str,
    *,
    ids: Ids | None = None,
    project: str = "sandbox",
    service: str = "app",
    domain: str = "127.0.0.1",
    hourly_limit: int = HOURLY_LIMIT,
) -> Starlette:
    """POST /graphql/v2 with {query, variables, operationName} and the project token in `Project-Access-Token`.

    domain: host and port of the service's public address
    hourly_limit: how many requests an hour of the world's clock the token may make
    """
    place = Place(ids or Ids(), project, service, domain, hosting.clock())
    root: dict[str, Any] = {**queries(hosting, place), **mutations(hosting, place)}
    limit = RateLimit(hosting.clock, hourly_limit)

    async def answer(request: Request) -> Response:
        refused_for_s = limit.take()
        if refused_for_s is not None:
            headers = {**limit.headers(), "retry-after": str(refused_for_s)}
            return JSONResponse(_errors("Too many requests"), status_code=429, headers=headers)
        refusal = _refusal(request, token)
        if refusal is not None:
            return JSONResponse(_errors(refusal), headers=limit.headers())
        status, body = await _execute(request, root)
        return JSONResponse(body, status_code=status, headers=limit.headers())

    return Starlette(routes=[Route(PATH, answer, methods=["POST"])])


class RateLimit:
    """So many requests per hour of the clock."""

    def __init__(self, clock: Callable[[], datetime], hourly: int) -> None:
        self._clock = clock
        self._hourly = hourly
        self._hour = -1
        self._used = 0

    def take(self) -> int | None:
        """Count one request. None = it may pass; otherwise the seconds until the next hour."""
        moment = int(self._clock().timestamp())
        if moment // 3600 != self._hour:
            self._hour, self._used = moment // 3600, 0
        self._used += 1
        return None if self._used <= self._hourly else 3600 - moment % 3600

    def headers(self) -> Mapping[str, str]:
        return {
            "x-ratelimit-limit": str(self._hourly),
            "x-ratelimit-remaining": str(max(0, self._hourly - self._used)),
            "x-ratelimit-reset": str((self._hour + 1) * 3600),
        }


def _refusal(request: Request, token: str) -> str | None:
    given = request.headers.get("project-access-token")
    if given is None:
        return NOT_AUTHORIZED
    return None if given == token else TOKEN_NOT_FOUND


async def _execute(request: Request, root: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return 400, _errors("Must provide a query string.")
    # The first request pays for building the schema: in a thread, so that nobody else waits for it.
    document, problems = await asyncio.to_thread(_understood, body["query"])
    if document is None or problems:
        return 400, {"errors": [problem.formatted for problem in problems]}
    try:
        outcome = execute(
            railway_schema(),
            document,
            root_value=root,
            variable_values=body.get("variables") or {},
            operation_name=body.get("operationName"),
        )
    except (GraphQLError, TypeError) as error:
        return 400, _errors(str(error))
    assert isinstance(outcome, ExecutionResult)
    answered: dict[str, Any] = dict(outcome.formatted)
    return 200, answered


def _errors(message: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR"}}], "data": None}

"""The shape of the HTTP API: which routes each build has, its OpenAPI document, and how it says no."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

API = "/api/v1"
VERSION = "1.0.0"
CALLER = "user_123"

Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: what serves it and the names of its query parameters."""

    method: str
    path: str
    answer: Answer
    summary: str
    query: Sequence[str] = field(default_factory=tuple)


class ApiError(Exception):
    """An answer with a `detail`, as FastAPI gives it; or with a whole body of its own."""

    def __init__(self, status: int, detail: Any, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(str(detail))
        self.status = status
        self.detail = detail
        self.body = body


def invalid(location: Sequence[str], kind: str, message: str, given: Any, **context: Any) -> ApiError:
    """A 422 with the validation list of one entry."""
    problem: dict[str, Any] = {"type": kind, "loc": list(location), "msg": message, "input": given}
    if context:
        problem["ctx"] = context
    return ApiError(422, [problem])


def whole_number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A query parameter between low and high."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise invalid(["query", name], "int_parsing", "Input should be a valid integer", text) from None
    if number < low:
        raise invalid(
            ["query", name], "greater_than_equal", f"Input should be greater than or equal to {low}", text, ge=low
        )
    if number > high:
        raise invalid(
            ["query", name], "less_than_equal", f"Input should be less than or equal to {high}", text, le=high
        )
    return number


async def on_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body or {"detail": error.detail}, status_code=error.status)


async def on_not_found(_request: Request, error: Exception) -> Response:
    status = int(getattr(error, "status_code", 404))
    words = {404: "Not Found", 405: "Method Not Allowed"}
    return JSONResponse({"detail": words.get(status, "Error")}, status_code=status)


def routes(operations: Sequence[Operation], *, documented: bool = True) -> list[Route]:
    """Starlette routes for the operations; with /docs and /openapi.json describing exactly these, where documented."""
    document = openapi(operations)

    async def openapi_json(_request: Request) -> Response:
        return JSONResponse(document)

    async def docs(_request: Request) -> Response:
        return HTMLResponse(_docs_page(document))

    found = [Route(one.path, one.answer, methods=[one.method]) for one in operations]
    described = [Route("/openapi.json", openapi_json), Route("/docs", docs)] if documented else []
    return [*_merged(found), *described]


def _merged(found: Sequence[Route]) -> list[Route]:
    """Paths without placeholders first, so that /checkins/summary is not read as a check-in's id."""
    return sorted(found, key=lambda route: "{" in route.path)


def openapi(operations: Sequence[Operation]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        names = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
        parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
        parameters += [{"name": name, "in": "query", "required": False, "schema": {}} for name in one.query]
        described: Mapping[str, Any] = {
            "summary": one.summary,
            "parameters": parameters,
            "responses": {"200": {"description": "Successful Response"}},
        }
        paths.setdefault(one.path, {})[one.method.lower()] = dict(described)
    return {"openapi": "3.1.0", "info": {"title": "PulseCheck API", "version": VERSION}, "paths": paths}


def _docs_page(document: Mapping[str, Any]) -> str:
    items = "".join(
        f"<li><code>{method.upper()} {path}</code> {said['summary']}</li>"
        for path, methods in document["paths"].items()
        for method, said in methods.items()
    )
    return (
        "<!DOCTYPE html><html lang='en'><head><title>PulseCheck API - Swagger UI</title></head>"
        f"<body><h1>PulseCheck API {VERSION}</h1><ul>{items}</ul></body></html>"
    )

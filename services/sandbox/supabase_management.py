"""The Management API of the world's one project: status, health, backups, and read-only SQL on the real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from hmac import compare_digest
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.postgres import READ_ONLY
from services.sandbox.supabase_gateway import bearer
from services.sandbox.supabase_state import SupabaseState

REGION = "eu-central-1"
_SERVICES = frozenset({"auth", "db", "db_postgres_user", "pooler", "realtime", "rest", "storage", "pg_bouncer"})
_ORGANIZATION = "sandbox-organisation"
# As the real API does, these go out the way Postgres writes them.
_AS_TEXT = (
    "timestamptz",
    "timestamp",
    "date",
    "time",
    "timetz",
    "interval",
    "numeric",
    "uuid",
    "bytea",
    "inet",
    "cidr",
)

Answer = Callable[[SupabaseState, Request], Awaitable[Response]]


def management_routes(state: SupabaseState) -> list[Route]:
    """Routes under /v1/projects, each behind the access token."""

    def route(path: str, answer: Answer, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            return _refused(state, request) or await answer(state, request)

        return Route(f"/v1/projects/{{ref}}{path}", endpoint, methods=[method])

    return [
        route("", _project),
        route("/health", _health),
        route("/database/backups", _backups),
        route("/database/query/read-only", _read_only_query, "POST"),
    ]


def _refused(state: SupabaseState, request: Request) -> Response | None:
    token = bearer(request)
    if token is None or not compare_digest(token.encode(), state.keys.management_token.encode()):
        return _message(401, "Unauthorized")
    if request.path_params["ref"] != state.keys.project_ref:
        return _message(404, "Project not found")
    return None


async def _project(state: SupabaseState, _: Request) -> Response:
    alive, version = await asyncio.to_thread(_database_version, state)
    return JSONResponse(
        {
            "id": state.keys.project_ref,
            "ref": state.keys.project_ref,
            "organization_id": _ORGANIZATION,
            "organization_slug": _ORGANIZATION,
            "name": "sandbox",
            "region": REGION,
            "created_at": state.keys.made.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "status": "INACTIVE" if state.paused else "ACTIVE_HEALTHY" if alive else "ACTIVE_UNHEALTHY",
            "database": {
                "host": "127.0.0.1",
                "version": version,
                "postgres_engine": version.split(".")[0],
                "release_channel": "ga",
            },
        }
    )


def _database_version(state: SupabaseState) -> tuple[bool, str]:
    """Does the database answer, and which version is it (or was it meant to be)?"""
    try:
        with psycopg.connect(state.cluster().dsn(READ_ONLY), connect_timeout=2) as conn:
            row = conn.execute("SHOW server_version").fetchone()
    except psycopg.Error:
        return False, str(state.cluster().server.binaries.version)
    return True, str(row[0]).split()[0] if row else ""


async def _health(state: SupabaseState, request: Request) -> Response:
    asked = [name for value in request.query_params.getlist("services") for name in value.split(",") if name]
    if not asked:
        return _message(400, "services: Required")
    if unknown := sorted(set(asked) - _SERVICES):
        return _message(400, f"services: Invalid enum value, received '{unknown[0]}'")
    alive, _ = await asyncio.to_thread(_database_version, state)
    rest = "rest" in asked and await _rest_answers(state)
    return JSONResponse([_service(state, name, alive=alive, rest=rest) for name in asked])


def _service(state: SupabaseState, name: str, *, alive: bool, rest: bool) -> dict[str, Any]:
    """One service's health. Auth stands by itself; REST is asked; everything else is as well as the database."""
    healthy = not state.paused and {"auth": True, "rest": rest}.get(name, alive)
    answer: dict[str, Any] = {
        "name": name,
        "healthy": healthy,
        "status": "ACTIVE_HEALTHY" if healthy else "UNHEALTHY",
    }
    if name == "auth" and healthy:
        answer["info"] = {"name": "GoTrue", "version": "v2.180.0", "description": "GoTrue is an auth API"}
    elif name == "rest" and healthy:
        answer["info"] = {"db_schema": "public"}
    elif name == "realtime" and healthy:
        answer["info"] = {"healthy": True, "db_connected": True, "replication_connected": True, "connected_cluster": 1}
    if not healthy:
        answer["error"] = "connection refused"
    return answer


async def _rest_answers(state: SupabaseState) -> bool:
    if state.rest_url is None:
        return (await asyncio.to_thread(_database_version, state))[0]
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=3.0) as client:
            return (await client.head(state.rest_url)).status_code < 500
    except httpx.HTTPError:
        return False


async def _backups(state: SupabaseState, _: Request) -> Response:
    """Seven daily physical backups, the newest always between two and three hours old."""
    newest = state.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    return JSONResponse(
        {
            "region": REGION,
            "walg_enabled": True,
            "pitr_enabled": False,
            "backups": [
                {
                    "id": (newest - timedelta(days=age)).toordinal(),
                    "is_physical_backup": True,
                    "status": "COMPLETED",
                    "inserted_at": (newest - timedelta(days=age)).isoformat(timespec="milliseconds")[:-6] + "Z",
                }
                for age in range(7)
            ],
            "physical_backup_data": {},
        }
    )


async def _read_only_query(state: SupabaseState, request: Request) -> Response:
    try:
        body = json.loads(await request.body())
        query, parameters = body["query"], body.get("parameters")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _message(400, "query: Required")
    if not isinstance(query, str) or not query:
        return _message(400, "query: String must contain at least 1 character(s)")
    if state.paused:
        return _message(400, "Project is paused")
    return await asyncio.to_thread(_run, state, query, parameters)


def _run(state: SupabaseState, query: str, parameters: list[Any] | None) -> Response:
    try:
        with psycopg.connect(
            state.cluster().dsn(READ_ONLY),
            autocommit=True,
            connect_timeout=5,
            options="-c statement_timeout=60s",
            row_factory=dict_row,
        ) as conn:
            for kind in _AS_TEXT:
                conn.adapters.register_loader(kind, TextLoader)
            with psycopg.RawCursor(conn, row_factory=dict_row) as cursor:
                cursor.execute(query.encode(), parameters or None)
                while cursor.nextset():
                    pass
                rows = cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        return _message(400, f"Failed to run sql query: {_told(error)}")
    return JSONResponse(rows, status_code=201)


def _told(error: psycopg.Error) -> str:
    """The error as the real API writes it: severity, two blanks, SQLSTATE, then the server's text."""
    if error.sqlstate is None:
        return "ERROR:  08006: connection refused\n"
    first, _, rest = str(error).partition("\n")
    return f"ERROR:  {error.sqlstate}: {first}\n{rest}" + ("" if rest.endswith("\n") or not rest else "\n")


def _message(status: int, text: str) -> JSONResponse:
    return JSONResponse({"message": text}, status_code=status)

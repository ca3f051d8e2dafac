"""The Management API of the world's one project: who may ask, its state, the health of its services, its backups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any

import httpx
import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.postgres import OWNER, READ_ONLY
from services.sandbox.supabase_advisors import performance_lints, security_lints
from services.sandbox.supabase_database import (
    any_query,
    disk_use,
    message,
    pooler,
    read_only_query,
    read_only_state,
)
from services.sandbox.supabase_gateway import bearer
from services.sandbox.supabase_logs import api_counts, logs
from services.sandbox.supabase_permissions import missing_permissions
from services.sandbox.supabase_state import BackupTrouble, SupabaseState

REGION = "eu-central-1"
PROBE_S = 2.0
BACKUP_AGES: Mapping[BackupTrouble, Sequence[int]] = {"missing": (), "old": range(9, 16), "failed": range(7)}
_SERVICES = frozenset({"auth", "db", "db_postgres_user", "pooler", "realtime", "rest", "storage", "pg_bouncer"})
_ORGANIZATION = "sandbox-organisation"

Answer = Callable[[SupabaseState, Request], Awaitable[Response]]


def management_routes(state: SupabaseState) -> list[Route]:
    """Routes under /v1/projects, each behind the access token, its permissions and the budget of the minute."""

    def route(path: str, answer: Answer, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            limit = state.management_limit
            if limit.take():
                response = _refused(state, request, path) or await answer(state, request)
            else:
                response = message(429, "ThrottlerException: Too Many Requests")
                response.headers["retry-after"] = str(limit.ends_in_s)
            response.headers["x-ratelimit-limit"] = str(limit.allowed)
            response.headers["x-ratelimit-remaining"] = str(limit.left)
            response.headers["x-ratelimit-reset"] = str(limit.ends_in_s)
            return response

        return Route(f"/v1/projects/{{ref}}{path}", endpoint, methods=[method])

    return [
        route("", _project),
        route("/health", _health),
        route("/database/backups", _backups),
        route("/database/query", any_query, "POST"),
        route("/database/query/read-only", read_only_query, "POST"),
        route("/advisors/security", security_lints),
        route("/advisors/performance", performance_lints),
        route("/analytics/endpoints/logs", logs),
        route("/analytics/endpoints/usage.api-counts", api_counts),
        route("/config/database/pooler", pooler),
        route("/config/disk/util", disk_use),
        route("/readonly", read_only_state),
    ]


def _refused(state: SupabaseState, request: Request, path: str) -> Response | None:
    missing = missing_permissions(state.keys, bearer(request), path)
    if missing is None:
        return message(401, "Unauthorized")
    if request.path_params["ref"] != state.keys.project_ref:
        return message(404, "Project not found")
    if missing:
        told = "Your access token does not have the permissions that this request needs."
        return JSONResponse({"message": told, "missing_permissions": list(missing)}, status_code=403)
    return None


async def _project(state: SupabaseState, _: Request) -> Response:
    alive, version = await asyncio.to_thread(_database_version, state, READ_ONLY)
    return JSONResponse(
        {
            "id": state.keys.project_ref,
            "ref": state.keys.project_ref,
            "organization_id": _ORGANIZATION,
            "organization_slug": _ORGANIZATION,
            "name": state.keys.name,
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


def _database_version(state: SupabaseState, role: str) -> tuple[bool, str]:
    """Does the database answer the role, and which version is it (or was it meant to be)?"""
    try:
        with psycopg.connect(state.cluster().dsn(role), connect_timeout=2) as conn:
            row = conn.execute("SHOW server_version").fetchone()
    except psycopg.Error:
        return False, str(state.cluster().server.binaries.version)
    return True, str(row[0]).split()[0] if row else ""


async def _health(state: SupabaseState, request: Request) -> Response:
    asked = [name for value in request.query_params.getlist("services") for name in value.split(",") if name]
    if not asked:
        return message(400, "services: Required")
    if unknown := sorted(set(asked) - _SERVICES):
        return message(400, f"services: Invalid enum value, received '{unknown[0]}'")
    errors = await asyncio.gather(*(_error_of(state, name) for name in asked))
    return JSONResponse([_service(name, error) for name, error in zip(asked, errors, strict=True)])


async def _error_of(state: SupabaseState, name: str) -> str | None:
    """What is wrong with a service, found by asking it: Auth and REST at their public addresses, else the database.

    What stands for storage, realtime and the poolers here is the database.
    """
    if name in state.unhealthy.values():
        return f"{name} failed its own check"
    if state.paused:
        return "project is paused"
    if name == "auth":
        return await _asked(state, "GET", "/auth/v1/health")
    if name == "rest":
        return await _asked(state, "HEAD", "/rest/v1/")
    role = OWNER if name == "db_postgres_user" else READ_ONLY
    alive, _ = await asyncio.to_thread(_database_version, state, role)
    return None if alive else "connection refused"


async def _asked(state: SupabaseState, method: str, path: str) -> str | None:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=PROBE_S) as client:
            answer = await client.request(method, f"{state.url}{path}", headers={"apikey": state.keys.anon_key})
    except httpx.TimeoutException:
        return f"no answer within {PROBE_S:g} s"
    except httpx.HTTPError:
        return "connection refused"
    return None if answer.status_code < 500 else f"answered {answer.status_code}"


def _service(name: str, error: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "name": name,
        "healthy": error is None,
        "status": "ACTIVE_HEALTHY" if error is None else "UNHEALTHY",
    }
    if error is not None:
        answer["error"] = error
    elif name == "auth":
        answer["info"] = {"name": "GoTrue", "version": "v2.180.0", "description": "GoTrue is an auth API"}
    elif name == "rest":
        answer["info"] = {"db_schema": "public"}
    elif name == "realtime":
        answer["info"] = {"healthy": True, "db_connected": True, "replication_connected": True, "connected_cluster": 1}
    return answer


async def _backups(state: SupabaseState, _: Request) -> Response:
    """Daily physical backups, the newest always between two and three hours old, unless something is wrong with them.

    Of several troubles the one that leaves the least counts.
    """
    newest = state.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    trouble = next((one for one in BACKUP_AGES if one in state.backups.values()), None)
    ages = range(7) if trouble is None else BACKUP_AGES[trouble]
    return JSONResponse(
        {
            "region": REGION,
            "walg_enabled": True,
            "pitr_enabled": False,
            "backups": [
                {
                    "id": (newest - timedelta(days=age)).toordinal(),
                    "is_physical_backup": True,
                    "status": "FAILED" if trouble == "failed" else "COMPLETED",
                    "inserted_at": (newest - timedelta(days=age)).isoformat(timespec="milliseconds")[:-6] + "Z",
                }
                for age in ages
            ],
            "physical_backup_data": {},
        }
    )

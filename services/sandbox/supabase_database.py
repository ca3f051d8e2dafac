"""What the Management API does with the database itself: SQL, pooler, disk, and whether it takes writes."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.sandbox.postgres import OWNER, READ_ONLY
from services.sandbox.supabase_state import SupabaseState

DISK_BYTES = 8 * 1024**3
"""What a project has before it pays for more."""

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


def message(status: int, text: str) -> JSONResponse:
    """An answer of the Management API that says why it does not do what it was asked."""
    return JSONResponse({"message": text}, status_code=status)


async def read_only_query(state: SupabaseState, request: Request) -> Response:
    """SQL as the role that only reads."""
    return await _answered(state, request, READ_ONLY)


async def any_query(state: SupabaseState, request: Request) -> Response:
    """SQL as the owner, or with {"read_only": true} as the role that only reads."""
    return await _answered(state, request, OWNER)


async def _answered(state: SupabaseState, request: Request, role: str) -> Response:
    try:
        body = json.loads(await request.body())
        query, parameters = body["query"], body.get("parameters")
        role = READ_ONLY if body.get("read_only") else role
    except (ValueError, KeyError, TypeError, AttributeError):
        return message(400, "query: Required")
    if not isinstance(query, str) or not query:
        return message(400, "query: String must contain at least 1 character(s)")
    if state.paused:
        return message(400, "Project is paused")
    return await asyncio.to_thread(_run, state, role, query, parameters)


def _run(state: SupabaseState, role: str, query: str, parameters: list[Any] | None) -> Response:
    try:
        with psycopg.connect(
            state.cluster().dsn(role),
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
        return message(400, f"Failed to run sql query: {_told(error)}")
    return JSONResponse(rows, status_code=201)


def _told(error: psycopg.Error) -> str:
    """The error as the real API writes it: severity, two blanks, SQLSTATE, then the server's text."""
    if error.sqlstate is None:
        return "ERROR:  08006: connection refused\n"
    first, _, rest = str(error).partition("\n")
    return f"ERROR:  {error.sqlstate}: {first}\n{rest}" + ("" if rest.endswith("\n") or not rest else "\n")


async def pooler(state: SupabaseState, _: Request) -> Response:
    """The world has no pooler of its own: the one address there is, which keeps a session as long as it is open."""
    server = state.cluster().server
    address = f"postgresql://{OWNER}:[YOUR-PASSWORD]@127.0.0.1:{server.port}/{state.cluster().database}"
    return JSONResponse(
        [
            {
                "identifier": state.keys.project_ref,
                "database_type": "PRIMARY",
                "is_using_scram_auth": True,
                "db_user": OWNER,
                "db_host": "127.0.0.1",
                "db_port": server.port,
                "db_name": state.cluster().database,
                "connection_string": address,
                "connectionString": address,
                "default_pool_size": None,
                "max_client_conn": None,
                "pool_mode": "session",
            }
        ]
    )


async def disk_use(state: SupabaseState, _: Request) -> Response:
    """What the databases and the write-ahead log take of the disk that a small project has."""
    used = await asyncio.to_thread(
        _one_value,
        state,
        "SELECT (sum(pg_database_size(oid)) + (SELECT sum(size) FROM pg_ls_waldir()))::bigint FROM pg_database",
    )
    if used is None:
        return message(500, "Failed to get disk utilization")
    return JSONResponse(
        {
            "timestamp": state.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "metrics": {
                "fs_size_bytes": DISK_BYTES,
                "fs_used_bytes": used,
                "fs_avail_bytes": max(0, DISK_BYTES - used),
            },
        }
    )


async def read_only_state(state: SupabaseState, _: Request) -> Response:
    """Whether a session of the owner begins read-only, as every session does while the disk is full."""
    found = await asyncio.to_thread(_one_value, state, "SHOW default_transaction_read_only")
    if found is None:
        return message(500, "Failed to get project readonly mode status")
    return JSONResponse({"enabled": found == "on", "override_enabled": False, "override_active_until": ""})


def _one_value(state: SupabaseState, query: str) -> Any:
    """None where the database does not answer."""
    try:
        with psycopg.connect(state.cluster().dsn(OWNER), connect_timeout=2) as conn:
            row = conn.execute(query.encode()).fetchone()
    except psycopg.Error:
        return None
    return row[0] if row else None

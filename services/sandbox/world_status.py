"""Asks each part of the world for a real answer, and says which part gave none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import psycopg

from services.sandbox.postgres import OWNER

if TYPE_CHECKING:
    from services.sandbox.world import World

_PATIENCE_S = 2.5


async def world_status(world: World) -> dict[str, Any]:
    """{"world", "ok", "database", <the app>, "railway", "openai", "supabase", "faults"}.

    Each part is {"answers": bool, "url": str, "detail": str}; "faults" lists the ids of the broken ones; "ok" is true
    when every part answers. An error a service gives by its own rules (no quota, wrong key) is an answer.
    """
    async with httpx.AsyncClient(timeout=_PATIENCE_S, trust_env=False) as client:
        names = ("database", world.twin.app, "railway", "openai", "supabase")
        parts = dict(
            zip(
                names,
                await asyncio.gather(
                    _database(world),
                    _app(world, client),
                    _railway(world, client),
                    _openai(world, client),
                    _supabase(world, client),
                ),
                strict=True,
            )
        )
    everything = all(part["answers"] for part in parts.values())
    return {"world": world.kind, "ok": everything, **parts, "faults": sorted(world.broken)}


def _part(answers: bool, url: str, detail: str) -> dict[str, Any]:
    return {"answers": answers, "url": url, "detail": detail}


async def _database(world: World) -> dict[str, Any]:
    url = f"postgresql://127.0.0.1:{world.ports.numbers['database']}/postgres"
    try:
        async with await psycopg.AsyncConnection.connect(world.cluster.dsn(OWNER), connect_timeout=2) as conn:
            cursor = await conn.execute("SHOW server_version")
            row = await cursor.fetchone()
    except psycopg.Error:
        return _part(False, url, "no connection")
    return _part(True, url, f"PostgreSQL {row[0]}" if row else "PostgreSQL")


async def _app(world: World, client: httpx.AsyncClient) -> dict[str, Any]:
    url = world.ports.url("app")
    status, detail = await _ask(client, "GET", f"{url}/")
    serving = world.hosting.active
    if status is None or status in (502, 503, 504) or serving is None:
        return _part(False, url, detail if serving else "no deployment serves")
    return _part(True, url, f"serves commit {serving.build.commit[:7]}")


async def _railway(world: World, client: httpx.AsyncClient) -> dict[str, Any]:
    url = world.ports.url("railway")
    status, detail = await _ask(
        client,
        "POST",
        f"{url}/graphql/v2",
        headers={"Project-Access-Token": world.keys.railway_token},
        json={"query": "query { projectToken { projectId } }"},
    )
    return _part(status == 200, url, "GraphQL answers" if status == 200 else detail)


async def _openai(world: World, client: httpx.AsyncClient) -> dict[str, Any]:
    url = world.addresses.openai_url
    bearer = {"Authorization": f"Bearer {world.keys.openai_key}"}
    status, detail = await _ask(client, "GET", f"{url}/models", headers=bearer)
    return _part(status is not None and status < 500, url, detail)


async def _supabase(world: World, client: httpx.AsyncClient) -> dict[str, Any]:
    url = world.ports.url("supabase")
    key = {"apikey": world.keys.service_key}
    (rest, rest_detail), (auth, auth_detail) = await asyncio.gather(
        _ask(client, "HEAD", f"{url}/rest/v1/", headers=key), _ask(client, "GET", f"{url}/auth/v1/health", headers=key)
    )
    if rest is None or rest >= 500:
        return _part(False, url, f"REST: {rest_detail}")
    if auth != 200:
        return _part(False, url, f"Auth: {auth_detail}")
    return _part(True, url, f"REST by {world.supabase.rest_engine}, Auth by stand-in")


async def _ask(client: httpx.AsyncClient, method: str, url: str, **options: Any) -> tuple[int | None, str]:
    """The HTTP status and a word on it; None where no answer came in time."""
    try:
        status = (await client.request(method, url, **options)).status_code
    except httpx.TimeoutException:
        return None, f"no answer within {_PATIENCE_S:g} s"
    except httpx.HTTPError:
        return None, "no connection"
    return status, f"answers {status}"

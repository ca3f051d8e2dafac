"""The world's Supabase on one address: the gateway before REST and Auth, and the Management API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from services.sandbox.keys import Keys
from services.sandbox.postgres import Cluster


@dataclass
class SupabaseState:
    """What the parts of the project share.

    url:      the project's own address, the issuer of its tokens
    cluster:  the database behind it (another one after it went down and came back)
    rest_url: where PostgREST listens; None = this machine has none, and our stand-in answers
    now:      the clock
    upstream: the connections to PostgREST
    paused:   a paused project answers 540 to everything but the Management API
    """

    keys: Keys
    url: str
    cluster: Callable[[], Cluster]
    rest_url: str | None
    now: Callable[[], datetime]
    paused: bool = False
    upstream: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=65.0))

    @property
    def rest_engine(self) -> str:
        """What answers REST here: "postgrest" or "stand-in"."""
        return "postgrest" if self.rest_url else "stand-in"

    async def close(self) -> None:
        """Close the connections to PostgREST."""
        await self.upstream.aclose()


def supabase_app(state: SupabaseState) -> Starlette:
    """The ASGI app of the project: /rest/v1, /auth/v1 and, for the Management API, /v1/projects."""
    from services.sandbox.supabase_auth import AuthServer
    from services.sandbox.supabase_management import management_routes
    from services.sandbox.supabase_rest import rest_endpoint

    return Starlette(
        routes=[
            Mount("/rest/v1", app=rest_endpoint(state)),
            Mount("/auth/v1", app=AuthServer(state).app()),
            *management_routes(state),
        ]
    )

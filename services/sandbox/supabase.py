"""The world's Supabase on one address: the gateway before REST and Auth, and the Management API."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.sandbox.supabase_auth import AuthServer
from services.sandbox.supabase_management import management_routes
from services.sandbox.supabase_rest import rest_endpoint
from services.sandbox.supabase_state import SupabaseState


def supabase_app(state: SupabaseState) -> ASGIApp:
    """The ASGI app of the project: /rest/v1, /auth/v1 and, for the Management API, /v1/projects."""
    inner = Starlette(
        routes=[
            Mount("/rest/v1", app=rest_endpoint(state)),
            Mount("/auth/v1", app=AuthServer(state).app()),
            *management_routes(state),
        ]
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                state.note(Request(scope), message["status"])
            await send(message)

        # The mounts change the scope that they are given: the call is noted as it came.
        await inner(dict(scope), receive, noted)

    return app

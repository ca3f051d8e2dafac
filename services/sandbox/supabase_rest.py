"""The door to the rows: strips /rest/v1, lets the known keys through, and hands the call to PostgREST."""

from __future__ import annotations

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.sandbox.supabase_gateway import api_key, bearer, refusal
from services.sandbox.supabase_state import SupabaseState

# Headers that belong to one connection and are not passed on; the length is set anew.
_OF_THE_CONNECTION = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length", "apikey"}
)


def rest_endpoint(state: SupabaseState) -> ASGIApp:
    """The ASGI app mounted at /rest/v1."""
    if state.rest_url is None:
        from services.sandbox.rest_stand_in import rest_stand_in

        return _gated(state, rest_stand_in(state))
    return _gated(state, _Proxy(state))


def _gated(state: SupabaseState, inner: ASGIApp) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = refusal(Request(scope), state)
        await (answer or inner)(scope, receive, send)

    return app


class _Proxy:
    def __init__(self, state: SupabaseState) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await self._forward(request)
        await answer(scope, receive, send)

    async def _forward(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/rest/v1") or "/"
        query: list[tuple[str, str | int | float | bool | None]] = [
            (name, value) for name, value in request.query_params.multi_items() if name != "apikey"
        ]
        headers = [(name, value) for name, value in request.headers.items() if name not in _OF_THE_CONNECTION]
        if bearer(request) is None:
            headers.append(("authorization", f"Bearer {api_key(request)}"))
        try:
            upstream = await self._state.upstream.request(
                request.method,
                f"{self._state.rest_url}{path}",
                params=httpx.QueryParams(query),
                headers=headers,
                content=await request.body(),
            )
        except httpx.TimeoutException:
            return JSONResponse({"message": "The upstream server is timing out"}, status_code=504)
        except httpx.HTTPError:
            return JSONResponse({"message": "An invalid response was received from the upstream server"}, 502)
        kept = {
            name: value
            for name, value in upstream.headers.items()
            if name not in _OF_THE_CONNECTION and name != "content-encoding"
        }
        return Response(upstream.content, upstream.status_code, kept)

"""What Supabase's gateway does before REST and Auth: it knows its API keys, and says 540 for a paused project."""

from __future__ import annotations

from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.sandbox.supabase_state import SupabaseState


def refusal(request: Request, state: SupabaseState) -> Response | None:
    """The gateway's answer to a call it does not let through; None where it does."""
    if state.paused:
        return JSONResponse({"message": "Project paused", "hint": "Restore the project to use it."}, status_code=540)
    key = api_key(request)
    if key is None:
        return JSONResponse(
            {
                "message": "No API key found in request",
                "hint": "No `apikey` request header or url param was found.",
            },
            status_code=401,
        )
    keys = state.keys
    accepted = {keys.anon_key, keys.service_key, keys.ops_service_key} - set(state.rejected.values())
    if not any(compare_digest(key.encode(), known.encode()) for known in accepted):
        return JSONResponse(
            {
                "message": "Invalid API key",
                "hint": "Double check your Supabase `anon` or `service_role` API key.",
            },
            status_code=401,
        )
    return None


def api_key(request: Request) -> str | None:
    return request.headers.get("apikey") or request.query_params.get("apikey")


def bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
